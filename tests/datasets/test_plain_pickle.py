"""Pickles from strangers."""

import os
import pickle
import pickletools
from collections import OrderedDict

import numpy as np
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
    (b'cnumpy.core.multiarray\n_reconstruct\n.', 'numpy.core.multiarray._reconstruct'),
    (b'cnumpy\nload\n.', 'numpy.load'),
    (b'(ios\nsystem\n.', 'os.system'),
])
def test_whatever_else_it_asks_for_is_named(tmp_path, content, asked):
    pickletools.dis(content, out=open(os.devnull, 'w'))
    path = tmp_path / 'refs.p'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f'it asks for {asked}'):
        load_plain_pickle(path)


@pytest.mark.parametrize('content', [b'', b'not a pickle', b'Iabc\n.', pickle.dumps([{'id': 'x' * 100}])[:40],
                                     b'\x80\x04\x8c\x01\xff.', b'\x80\x02]r\xff\xff\xff\x7f.',
                                     b'\x80\x02})' + b'\x85' * 200000 + b'Ns.',
                                     b'\x80\x02})' + b'2\x86' * 60 + b'Ns.'])
def test_truncated_or_no_pickle(tmp_path, content):
    path = tmp_path / 'refs.p'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='refs.p is not a whole pickle .* Fetch it again'):
        load_plain_pickle(path)


NUMBERS = [np.bool_(True), np.int8(-5), np.uint8(200), np.int16(-300), np.uint16(60000), np.int32(-70000),
           np.uint32(4 * 10**9), np.int64(-2**62), np.uint64(2**63), np.float16(0.25), np.float32(-0.5),
           np.float64(1e300), np.dtype('>i4').type(7)]


class TestNumbersOfNumPy:

    @pytest.mark.parametrize('module', [b'numpy._core.multiarray', b'numpy.core.multiarray'])
    @pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
    def test_each_kind(self, tmp_path, protocol, module):
        content = pickle.dumps(dict(numbers=NUMBERS, text='é'), protocol=protocol)
        # NumPy 2 writes the first, NumPy 1 the second. From protocol 4 on the name's length stands before it.
        old, new = b'numpy._core.multiarray', module
        if protocol >= 4:
            old, new = (b'\x8c' + bytes([len(one)]) + one for one in (old, new))
        assert old in content
        path = tmp_path / 'refs.p'
        path.write_bytes((_without_frame(content) if protocol >= 4 else content).replace(old, new))
        found = load_plain_pickle(path)
        assert found == dict(numbers=[one.item() for one in NUMBERS], text='é')
        assert {type(one) for one in found['numbers']} == {bool, int, float}

    @pytest.mark.parametrize('number', [5, 233, -23, 0x00a9c3e9, -2**40])
    def test_python_2(self, tmp_path, number):
        """Its strings hold text and bytes alike: 0xe9 is a letter in Latin-1, and 0xc3 0xa9 one in UTF-8."""
        path = tmp_path / 'refs.p'
        content = number.to_bytes(8, 'little', signed=True)
        path.write_bytes(
            b'\x80\x02}(U\x05caf\xc3\xa9](cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nU\x02i8K\x00K\x01\x87R(K\x03'
            b'U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbU\x08' + content + b'\x86RU\x01\xe9\x88eX\x02\0\0\0'
            b'\xc3\xa9U\x01ku.')
        assert load_plain_pickle(path) == {'café': [number, 'é', True], 'é': 'k'}

    @pytest.mark.parametrize('value, asked', [
        (np.arange(3), r'numpy\._core\.(multiarray\._reconstruct|numeric\._frombuffer)'),
        (np.str_('a'), "a numpy.dtype 'U1'"),
        (np.complex64(1), "a numpy.dtype 'c8'"),
        (np.datetime64('2020-01-01'), "a numpy.dtype 'M8'"),
    ])
    @pytest.mark.parametrize('protocol', [2, 5])
    def test_what_is_no_number_is_refused(self, tmp_path, value, asked, protocol):
        path = tmp_path / 'refs.p'
        path.write_bytes(pickle.dumps([value], protocol=protocol))
        with pytest.raises(ValueError, match=rf'it asks for {asked}\. .* by array\.tolist\(\) and .* value\.item\(\)'):
            load_plain_pickle(path)

    @pytest.mark.parametrize('content', [
        # Bytes of another number than the type has.
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'i8'\ntRS'abc'\ntR.",
        # No type, no bytes, and a type of no text.
        b"cnumpy.core.multiarray\nscalar\n(I1\nS'abcdefgh'\ntR.",
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'i8'\ntRtR.",
        b'cnumpy.core.multiarray\nscalar\n(tR.',
        # A state that is none.
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'i8'\ntRI5\nbS'abcdefgh'\ntR.",
    ])
    def test_malformed_ones(self, tmp_path, content):
        path = tmp_path / 'refs.p'
        path.write_bytes(content)
        with pytest.raises(ValueError, match='is not a whole pickle .* Fetch it again'):
            load_plain_pickle(path)

    def test_a_pickle_cannot_change_how_the_next_one_is_read(self, tmp_path):
        """BUILD sets attributes of whatever is on the stack, functions and classes included."""
        path = tmp_path / 'refs.p'
        for name in ('numpy\ndtype', 'numpy.core.multiarray\nscalar'):
            path.write_bytes(f"c{name}\n(N(dS'__setstate__'\nI5\nsS'format'\nI5\nstb.".encode())
            try:
                load_plain_pickle(path)
            except ValueError:
                pass
        path.write_bytes(pickle.dumps(NUMBERS))
        assert load_plain_pickle(path) == [one.item() for one in NUMBERS]


def _without_frame(content):
    """A pickle of protocol 4 or 5 without its one frame: the opcode and eight bytes of length behind the protocol."""
    assert content[2:3] == b'\x95'
    return content[:2] + content[11:]
