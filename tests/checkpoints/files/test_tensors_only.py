"""Checkpoints of torch.save that hold more than tensors, kindly or not. Their tensors are read, and nothing happens."""

import pickle
import random
import sys
import zipfile

import pytest
import torch

from mmris.checkpoints import UnreadableCheckpointError, read_checkpoint
from mmris.checkpoints.files import read_tensors
from tests.checkpoints.published.clip_files import Malicious, rewrite_archive
from tests.checkpoints.published.vilt_files import as_torch_1_7, published, vanishing_module, write_lightning
from tests.conftest import assert_same

# (None, {'__doc__': 'changed'}), then BUILD: what a pickle sets attributes with.
BUILD = b'N}X\x07\x00\x00\x00__doc__X\x07\x00\x00\x00changeds\x86b'


@pytest.fixture(scope='module')
def archive(tmp_path_factory):
    return write_lightning(tmp_path_factory.mktemp('lightning') / 'vilt.ckpt', published())


def read(path):
    return read_tensors(path)['state_dict']


class TestWhatElseThereIs:

    def test_is_left_out(self, archive):
        """With the packages that made it, of which one is not there."""
        assert 'vanished_framework' not in sys.modules and b'vanished_framework' in archive.read_bytes()
        state = read(archive)
        assert_same({name: value.detach() for name, value in state.items()}, published())
        assert all(type(value) is torch.Tensor for value in state.values())
        with pytest.raises(UnreadableCheckpointError, match='holds objects that are not tensors'):
            read_checkpoint(archive, trust_option='--trust')

    def test_in_files_of_torch_1_7(self, archive, tmp_path):
        path = as_torch_1_7(archive, tmp_path / 'old.ckpt')
        assert b'cuda:0' in path.read_bytes()
        assert_same(read(path), published())

    def test_is_not_read_from_the_file(self, archive, monkeypatch):
        """The optimiser's numbers are twice the model's."""
        names, reading = [], zipfile.ZipFile.read
        monkeypatch.setattr(zipfile.ZipFile, 'read', lambda self, record: names.append(record) or reading(self, record))
        count = len(read(archive))
        assert len(names) == 1 + count, 'one record for each tensor, and the pickle'

    def test_wrappers(self, tmp_path):
        weights, path = dict(weight=torch.ones(2)), tmp_path / 'wrapped.pth'
        for content in (weights, dict(state_dict=weights, model=dict(other=torch.zeros(1))),
                        dict(model='a name', state_dict=weights)):
            torch.save(content, path)
            assert_same(read(path), weights)

    def test_shared_numbers(self, tmp_path):
        """Tied weights stay one, parts of a tensor parts."""
        whole = torch.arange(12.).reshape(3, 4)
        torch.save(dict(whole=whole, tied=whole, part=whole[1:, ::2], turned=whole.t(), none=whole[:0]), tmp_path / 'f')
        state = read(tmp_path / 'f')
        assert_same(state, dict(whole=whole, tied=whole, part=whole[1:, ::2], turned=whole.t(), none=whole[:0]))
        assert state['tied'].data_ptr() == state['whole'].data_ptr()

    def test_other_formats(self, tmp_path):
        torch.save(dict(state_dict=dict(weight=torch.ones(2))), tmp_path / 'old.pth',
                   _use_new_zipfile_serialization=False)
        assert_same(read(tmp_path / 'old.pth'), dict(weight=torch.ones(2)))
        with pytest.raises(FileNotFoundError, match='There is no checkpoint none.pth'):
            read('none.pth')


class Evaluated:

    def __init__(self, code):
        self.code = code

    def __reduce__(self):
        return eval, (self.code, )


class TestCode:

    @pytest.mark.parametrize('protocol', [0, 2, 4])
    def test_calls(self, archive, tmp_path, protocol):
        made = tmp_path / 'made'
        code = f'__import__("os").mkdir({str(made)!r})'
        content = dict(state_dict=dict(), hooks=[Malicious(made), Evaluated(code)], **{'as a key': {Malicious: 1}})
        path = rewrite_archive(archive, tmp_path / 'bad.pt', data_pkl=pickle.dumps(content, protocol))
        assert read(path) == {} and not made.exists()
        with zipfile.ZipFile(path) as source:
            # What is not there would be no proof.
            pickle.loads(source.read('vilt/data.pkl').replace(b'eval', b'repr'))
        assert made.exists()

    def test_among_the_weights(self, archive, tmp_path):
        for value in (Malicious(tmp_path / 'made'), Evaluated('1'), torch.device('cpu'), torch.dtype):
            content = pickle.dumps(dict(state_dict=dict(weight=value)))
            state = read(rewrite_archive(archive, tmp_path / 'bad.pt', data_pkl=content))
            assert not isinstance(state['weight'], torch.Tensor)
        assert not (tmp_path / 'made').exists()

    def test_objects_keep_nothing(self, archive, tmp_path):
        """What fills an object, by each way that a pickle has."""
        with vanishing_module() as framework:
            label = framework.AttributeDict(a=1)
            label.attribute = framework.Labels({1, 2})
            whole = [label, framework.ReadOnlyList([1, 2]), framework.ModelCheckpoint, framework.ModelCheckpoint()]
            pickled = [pickle.dumps(dict(state_dict=dict(found=whole)), protocol) for protocol in (0, 2, 5)]
        for content in pickled:
            found = read(rewrite_archive(archive, tmp_path / 'f', data_pkl=content))['found']
            kind = found[2]
            assert [type(one) for one in (found[0], found[1], found[3])] == [kind] * 3
            assert not any(hasattr(one, '__dict__') for one in (found[0], found[1], found[3]))
            assert not {'a', 'attribute'} & set(dir(kind))


class TestChanges:

    @pytest.mark.parametrize('module, name', [
        ('torch._utils', '_rebuild_tensor_v2'),
        ('torch._utils', '_rebuild_parameter'),
        ('collections', 'OrderedDict'),
        ('torch', 'FloatStorage'),
    ])
    def test_of_what_tensors_are_made_by(self, archive, tmp_path, module, name):
        path = rewrite_archive(archive, tmp_path / 'bad.pt', data_pkl=instructions(module, name, BUILD))
        with pytest.raises(UnreadableCheckpointError, match=r"bad.pt cannot .*it sets attributes of a (Func|Stor)"):
            read(path)
        assert dict.__doc__ != 'changed' and torch._utils._rebuild_tensor_v2.__doc__ != 'changed'

    def test_of_a_class(self, archive, tmp_path):
        """Neither of the one that is named nor of what stands for it."""
        for module, name in (('collections', 'Counter'), ('vanished', 'Class')):
            content = b'\x80\x02}X\x01\x00\x00\x00x' + instructions(module, name, BUILD)[2:-1] + b's.'
            found = read(rewrite_archive(archive, tmp_path / 'bad.pt', data_pkl=content))['x']
            assert found.__doc__ != 'changed'

    def test_a_dict_of_pairs(self, archive, tmp_path):
        """Copies of copies could unfold."""
        rest = b'(X\x01\x00\x00\x00xK\x01\x86\x85tR'
        path = rewrite_archive(archive, tmp_path / 'f', data_pkl=instructions('collections', 'OrderedDict', rest))
        with pytest.raises(UnreadableCheckpointError, match='it makes a dict otherwise than pickle does'):
            read(path)


class TestSizes:

    @pytest.mark.parametrize('size, stride, offset', [((3, ), (1, ), 2), ((2**40, ), (0, ), 0), ((-2, ), (1, ), 0),
                                                      ((2, ), (1, 1), 0), (('2', ), (1, ), 0)])
    def test_view(self, tmp_path, size, stride, offset):
        with pytest.raises(UnreadableCheckpointError, match='it describes a tensor'):
            read(self.write(tmp_path / 'bad.pt', 4, size, stride, offset))
        assert read(self.write(tmp_path / 'good.pt', 4, (2, 2), (1, 2), 0))['x'].tolist() == [[1, 3], [2, 4]]

    @pytest.mark.parametrize('claimed', [3, 5, 10**9, -1])
    def test_storage(self, tmp_path, claimed):
        with pytest.raises(UnreadableCheckpointError, match=f'hold {claimed} numbers of torch.uint8, but has 4 bytes'):
            read(self.write(tmp_path / 'bad.pt', claimed, (1, ), (1, ), 0))

    @staticmethod
    def write(path, claimed, size, stride, offset):
        """An archive of one tensor in a storage of four bytes."""
        numbers = b''.join(pickle.dumps(value, protocol=1)[:-1] for value in (offset, size, stride))
        count = b'J' + claimed.to_bytes(4, 'little', signed=True)
        storage = b'(X\x07\x00\x00\x00storagectorch\nByteStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu'
        storage += count + b'tQ'
        tensor = b'ctorch._utils\n_rebuild_tensor_v2\n(' + storage + numbers + b'\x89ccollections\nOrderedDict\n)RtR'
        with zipfile.ZipFile(path, 'w') as target:
            target.writestr('archive/data.pkl', b'\x80\x02}X\x01\x00\x00\x00x' + tensor + b's.')
            target.writestr('archive/data/0', bytes([1, 2, 3, 4]))
        return path

    def test_room_for_objects(self, archive, tmp_path):
        content = b'\x80\x02}r' + (4 * 10**9).to_bytes(4, 'little') + b'.'
        with pytest.raises(UnreadableCheckpointError, match='it numbers an object 4000000000 among'):
            read(rewrite_archive(archive, tmp_path / 'bad.pt', data_pkl=content))

    def test_compressed(self, archive, tmp_path):
        with zipfile.ZipFile(archive) as source, zipfile.ZipFile(tmp_path / 'f', 'w', zipfile.ZIP_DEFLATED) as target:
            for name in source.namelist():
                target.writestr(name, source.read(name))
        with pytest.raises(UnreadableCheckpointError, match='its records are compressed or overlap'):
            read(tmp_path / 'f')

    def test_overlapping(self, archive, tmp_path):
        """One record under many entries would be more than the file is large."""
        path = tmp_path / 'f'
        path.write_bytes(archive.read_bytes())
        with zipfile.ZipFile(path, 'a') as target:
            target.writestr('vilt/more', b'')
            target.filelist += [target.getinfo('vilt/data.pkl')] * 500
        with pytest.raises(UnreadableCheckpointError, match='its records are compressed or overlap'):
            read(path)


def test_no_dict(archive, tmp_path):
    with pytest.raises(UnreadableCheckpointError, match='f cannot .* an archive of torch.save .*it holds no dict'):
        read(rewrite_archive(archive, tmp_path / 'f', data_pkl=b'\x80\x02].'))


def test_random_damage(archive, tmp_path):
    """Bytes of the pickle changed at random: weights, or the named error, never another."""
    generator = random.Random(0)
    outcomes = {True: 0, False: 0}

    def damage(content):
        changed = bytearray(content)
        for _ in range(2):
            changed[generator.randrange(len(changed))] = generator.randrange(256)
        return bytes(changed)

    for _ in range(150):
        path = rewrite_archive(archive, tmp_path / 'bad.pt', data_pkl=damage)
        try:
            outcomes[isinstance(read(path), dict)] += 1
        except UnreadableCheckpointError:
            outcomes[False] += 1
    assert outcomes[True] > 5 and outcomes[False] > 5


def instructions(module, name, rest):
    """A pickle that puts a global on the stack, then goes on."""
    return b'\x80\x02c' + module.encode() + b'\n' + name.encode() + b'\n' + rest + b'.'
