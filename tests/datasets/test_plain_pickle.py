"""Pickles from strangers."""

import os
import pickle
import pickletools
from collections import OrderedDict

import pytest

from mmris.datasets.plain_pickle import load_plain_pickle


class Malicious:
    """Unpickled the usual way, it makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder), )


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_of_any_protocol(tmp_path, protocol):
    data = [{'id': 1, 'big': 2**70, 'real': 0.5, 'text': 'é', 'none': None, 'yes': True, 'pair': (1, 2),
             'bytes': b'ab', 'empty': b'', 'set': {1, 2}, 'ordered': OrderedDict(a=1)}]
    path = tmp_path / 'refs.p'
    path.write_bytes(pickle.dumps(data, protocol=protocol))
    assert load_plain_pickle(path) == data


def test_python_2(tmp_path):
    """What Python 2.7 writes for [{'sent': 'caf\\xc3\\xa9', 'id': 5L}], and the same in Latin-1."""
    path = tmp_path / 'refs.p'
    path.write_bytes(b"(lp0\n(dp1\nS'sent'\np2\nS'caf\\xc3\\xa9'\np3\nsS'id'\np4\nL5L\nsa.")
    assert load_plain_pickle(path) == [{'sent': 'café', 'id': 5}]
    path.write_bytes(b"(lp0\n(dp1\nS'sent'\np2\nS'caf\\xe9'\np3\nsa.")
    assert load_plain_pickle(path) == [{'sent': 'café'}]


def test_a_string_in_latin_1_leaves_the_others_as_they_are(tmp_path):
    """Protocols 0 and 2, and a long string: one opcode each."""
    path = tmp_path / 'refs.p'
    utf8, latin1 = 'café'.encode(), 'Å'.encode('latin-1')
    path.write_bytes(b"(lp0\nS'caf\\xc3\\xa9'\naS'\\xc5'\na.")
    assert load_plain_pickle(path) == ['café', 'Å']
    path.write_bytes(b'\x80\x02](U\x05' + utf8 + b'U\x01' + latin1 + b'T\x2c\x01\0\0' + utf8 * 60 + b'e.')
    assert load_plain_pickle(path) == ['café', 'Å', 'café' * 60]


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_malicious_pickle_runs_nothing(tmp_path, protocol):
    target = tmp_path / 'made by the pickle'
    content = pickle.dumps([{'ref_id': Malicious(target)}], protocol=protocol)
    path = tmp_path / 'refs.p'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'refs.p is refused: it asks for (posix|nt).mkdir'):
        load_plain_pickle(path)
    assert not target.exists()
    pickle.loads(content)
    assert target.exists(), 'the attack of this test must be a real one'


@pytest.mark.parametrize('content, asked', [
    (b'cbuiltins\neval\n(S\'1\'\ntR.', 'builtins.eval'),
    (b'cos\nsystem\n(S\'true\'\ntR.', 'os.system'),
    (b'\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.', 'builtins.getattr'),
    (b'cnumpy.core.multiarray\nscalar\n.', 'numpy.core.multiarray.scalar'),
    (b'(ios\nsystem\n.', 'os.system'),
])
def test_whatever_else_it_asks_for_is_named(tmp_path, content, asked):
    pickletools.dis(content, out=open(os.devnull, 'w'))
    path = tmp_path / 'refs.p'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f'it asks for {asked}'):
        load_plain_pickle(path)


@pytest.mark.parametrize('content', [b'', b'not a pickle', b'Iabc\n.', pickle.dumps([{'id': 'x' * 100}])[:40],
                                     b'\x80\x04\x8c\x01\xff.'])
def test_truncated_or_no_pickle(tmp_path, content):
    path = tmp_path / 'refs.p'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='refs.p is not a whole pickle .* Fetch it again'):
        load_plain_pickle(path)
