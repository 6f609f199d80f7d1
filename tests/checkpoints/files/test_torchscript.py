"""TorchScript archives whose pickle asks for more than modules and tensors. None of it is to happen."""

import pickle
import random
import zipfile
from pathlib import Path

import pytest
import torch

from mmris.checkpoints import UnreadableCheckpointError, read_checkpoint, read_published
from mmris.checkpoints.published import CLIP
from tests.checkpoints.published.clip_files import Malicious, rewrite_archive, write_openai


@pytest.fixture(scope='module')
def archive(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp('archive') / 'CLIP.pt'
    write_openai(path)
    return path


@pytest.fixture
def refused(archive, tmp_path):
    """Reads the archive with another data.pkl, which must be refused, also when trusted; the message."""

    def read(pickled) -> str:
        path = rewrite_archive(archive, tmp_path / 'bad.pt', data_pkl=pickled)
        messages = set()
        for trust in (False, True):
            with pytest.raises(UnreadableCheckpointError, match='bad.pt cannot .* a TorchScript archive') as raised:
                read_checkpoint(path, trust=trust, trust_option='--trust')
            messages.add(str(raised.value))
        assert len(messages) == 1 and 'reads it all the same' not in str(raised.value)
        with pytest.raises(UnreadableCheckpointError):
            read_published(CLIP, str(path), trust=True)
        return messages.pop()

    return read


class Evaluated:

    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self) -> tuple:
        return eval, (self.code, )


def instructions(module: str, name: str, rest: bytes) -> bytes:
    """A pickle that puts a global on the stack, then goes on."""
    return b'\x80\x02c' + module.encode() + b'\n' + name.encode() + b'\n' + rest + b'.'


class TestCode:

    @pytest.mark.parametrize('protocol', [0, 2, 4])
    def test_a_call(self, refused, tmp_path, protocol):
        message = refused(pickle.dumps(Malicious(tmp_path / 'made'), protocol=protocol))
        assert 'it asks for posix.mkdir' in message
        assert not (tmp_path / 'made').exists()

    @pytest.mark.parametrize('protocol', [2, 4])
    def test_evaluated_text(self, refused, tmp_path, protocol):
        code = f'__import__("os").mkdir({str(tmp_path / "made")!r})'
        message = refused(pickle.dumps(dict(weight=Evaluated(code)), protocol=protocol))
        assert 'it asks for ' in message and '.eval' in message
        assert not (tmp_path / 'made').exists()

    @pytest.mark.parametrize('module, name', [
        ('os', 'system'),
        ('builtins', 'getattr'),
        ('torch', 'load'),
        ('torch.jit', 'load'),
        ('torch.storage', '_load_from_bytes'),
        ('torch._utils', '_rebuild_tensor'),
        ('torch.jit._pickle', 'restore_type_tag'),
        ('__torch__x', 'Module'),
        ('mmris.checkpoints.torchscript', '_Module'),
        ('collections', 'Counter'),
    ])
    def test_other_names(self, refused, module, name):
        assert f'it asks for {module}.{name}' in refused(instructions(module, name, b')R'))

    def test_code_in_the_archive_is_not_read(self, archive, tmp_path):
        """Its own methods say what to compute; with nonsense in their place the weights are the same."""
        path = tmp_path / 'nonsense.pt'
        with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, 'w') as target:
            for name in source.namelist():
                target.writestr(name, b'raise SystemExit' if '/code/' in name else source.read(name))
        given, expected = read_checkpoint(path)['state_dict'], read_checkpoint(archive)['state_dict']
        assert list(given) == list(expected) and all(torch.equal(given[key], expected[key]) for key in given)


class TestChanges:
    """Instructions that change what is on the stack, in the reading process."""

    # (None, {'__doc__': 'changed'}), then BUILD: what a pickle sets attributes with.
    BUILD = b'N}X\x07\x00\x00\x00__doc__X\x07\x00\x00\x00changeds\x86b'

    @pytest.mark.parametrize('module, name', [
        ('torch._utils', '_rebuild_tensor_v2'),
        ('collections', 'OrderedDict'),
        ('torch', 'FloatStorage'),
        ('__torch__', 'Module'),
        ('torch.jit._pickle', 'build_intlist'),
    ])
    def test_of_a_global(self, refused, module, name):
        message = refused(instructions(module, name, self.BUILD))
        assert 'it sets attributes of a ' in message or 'missing 1 required positional argument' in message
        assert torch._utils._rebuild_tensor_v2.__doc__ != 'changed' and dict.__doc__ != 'changed'
        assert list.__doc__ != 'changed' and torch.FloatStorage.__doc__ != 'changed'

    def test_of_a_module(self, refused):
        assert 'not by name' in refused(instructions('__torch__', 'Module', b')\x81' + self.BUILD))
        assert 'twice' in refused(instructions('__torch__', 'Module', b')\x81}b}b'))

    def test_a_module_in_itself(self, archive, tmp_path):
        """What contains itself ends all the same."""
        loop = b')\x81q\x00}X\x01\x00\x00\x00xh\x00sb'
        path = rewrite_archive(archive, tmp_path / 'loop.pt', data_pkl=instructions('__torch__', 'Module', loop))
        assert read_checkpoint(path)['state_dict'] == {}

    def test_no_module(self, refused):
        assert 'it holds a dict' in refused(b'\x80\x02}.')
        assert 'it holds a int' in refused(b'\x80\x02K\x01.')


class TestSizes:
    """Numbers of a storage and of a tensor, against the bytes that are there."""

    @pytest.mark.parametrize('claimed', [0, 2, 10**9, -1])
    def test_storage(self, refused, claimed):
        def change(content: bytes) -> bytes:
            # The patch embedding: 64 x 3 x 4 x 4 = 3072 numbers.
            assert content.count(b'M\x00\x0c') == 1
            return content.replace(b'M\x00\x0c', b'J' + claimed.to_bytes(4, 'little', signed=True))

        assert f'is said to hold {claimed} numbers of torch.float16, but has 6144 bytes' in refused(change)

    def test_storage_of_another_type(self, refused):
        wider = refused(lambda content: content.replace(b'ctorch\nHalfStorage', b'ctorch\nFloatStorage'))
        assert 'numbers of torch.float32, but has' in wider

    @pytest.mark.parametrize('size, stride, offset', [
        ((3, ), (1, ), 2),
        ((5, ), (1, ), 0),
        ((2, 2), (3, 1), 0),
        ((2, ), (-1, ), 1),
        ((-2, ), (1, ), 0),
        ((1, ), (1, ), -1),
        ((2**40, ), (0, ), 0),
        ((2, ), (1, 1), 0),
        (('2', ), (1, ), 0),
        ((True, ), (1, ), 0),
    ])
    def test_view(self, archive, tmp_path, size, stride, offset):
        """Tensors that would reach beyond the four bytes of their storage, or need none and be endless."""
        tensor = self.tensor(offset, size, stride)
        path = self.write(archive, tmp_path / 'bad.pt', tensor)
        with pytest.raises(UnreadableCheckpointError, match='it describes a tensor'):
            read_checkpoint(path)

    @pytest.mark.parametrize('size, stride, offset, expected', [
        ((2, 2), (1, 2), 0, [[1, 3], [2, 4]]),
        ((), (), 3, 4),
        ((0, 7), (7, 1), 4, []),
        ((2, ), (2, ), 1, [2, 4]),
    ])
    def test_views_that_are_within(self, archive, tmp_path, size, stride, offset, expected):
        tensor = self.tensor(offset, size, stride)
        state = read_checkpoint(self.write(archive, tmp_path / 'good.pt', tensor))['state_dict']
        assert state['x'].tolist() == expected and state['x'].shape == size

    @staticmethod
    def tensor(offset, size, stride) -> bytes:
        """Instructions that describe a tensor in a storage of four bytes."""
        numbers = b''.join(pickle.dumps(value, protocol=1)[:-1] for value in (offset, size, stride))
        storage = b'(X\x07\x00\x00\x00storagectorch\nByteStorage\nX\x03\x00\x00\x00newX\x03\x00\x00\x00cpuK\x04tQ'
        return b'ctorch._utils\n_rebuild_tensor_v2\n(' + storage + numbers + b'\x89ccollections\nOrderedDict\n)RtR'

    @staticmethod
    def write(archive: Path, path: Path, tensor: bytes) -> Path:
        """The archive with a module of one tensor, and with its storage."""
        module = instructions('__torch__', 'Module', b')\x81}X\x01\x00\x00\x00x' + tensor + b'sb')
        rewrite_archive(archive, path, data_pkl=module)
        with zipfile.ZipFile(path, 'a') as target:
            target.writestr('CLIP/data/new', bytes([1, 2, 3, 4]))
        return path


def test_room_for_objects(refused):
    """A number for an object that would need 30 GB of Python's reader."""
    assert 'it numbers an object 4000000000 among' in refused(b'\x80\x02}r' + (4 * 10**9).to_bytes(4, 'little') + b'.')


def test_compressed(archive, tmp_path):
    path = tmp_path / 'bomb.pt'
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    with pytest.raises(UnreadableCheckpointError, match='data.pkl is compressed'):
        read_checkpoint(path)


def test_other_byte_order(archive, tmp_path):
    path = rewrite_archive(archive, tmp_path / 'big.pt', byteorder=b'big')
    with pytest.raises(UnreadableCheckpointError, match='its numbers are written big-endian'):
        read_checkpoint(path)


def test_random_damage(archive, tmp_path):
    """Bytes of the pickle changed at random: weights, or the named error, never another."""
    generator = random.Random(0)
    outcomes = {True: 0, False: 0}

    def damage(content: bytes) -> bytes:
        changed = bytearray(content)
        for _ in range(2):
            changed[generator.randrange(len(changed))] = generator.randrange(256)
        return bytes(changed)

    for _ in range(100):
        path = rewrite_archive(archive, tmp_path / 'bad.pt', data_pkl=damage)
        try:
            outcomes[isinstance(read_checkpoint(path)['state_dict'], dict)] += 1
        except UnreadableCheckpointError:
            outcomes[False] += 1
    assert outcomes[True] > 5 and outcomes[False] > 5
