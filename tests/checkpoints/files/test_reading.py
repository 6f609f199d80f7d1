"""Files of weights by their content: of every format under every name, torn, lying, and malicious."""

import gzip
import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from mmris.checkpoints import UnreadableCheckpointError, read_checkpoint, read_published
from mmris.checkpoints.published import CLIP
from mmris.hub.weights_check import read_shapes
from tests.checkpoints.published.clip_files import (
    Malicious,
    assert_same,
    open_clip_model,
    rewrite_archive,
    write_traced,
)

FORMATS = ('zip', 'legacy', 'safetensors', 'TorchScript')


@pytest.fixture(scope='module')
def files(tmp_path_factory) -> dict:
    """The same model in a file of each format."""
    folder = tmp_path_factory.mktemp('files')
    model = open_clip_model()
    paths = {name: folder / f'{name}.weights' for name in FORMATS}
    torch.save(model.state_dict(), paths['zip'])
    torch.save(model.state_dict(), paths['legacy'], _use_new_zipfile_serialization=False)
    safetensors.torch.save_file(model.state_dict(), paths['safetensors'])
    write_traced(model, paths['TorchScript'])
    return paths


def refused(path: Path, message: str, **options) -> str:
    with pytest.raises(UnreadableCheckpointError, match=message) as raised:
        read_checkpoint(path, **options)
    assert str(path) in str(raised.value)
    return str(raised.value)


class TestFormats:

    @pytest.mark.parametrize('name', FORMATS)
    @pytest.mark.parametrize('suffix', ['.pt', '.pth', '.bin', '.safetensors', '.html', ''])
    def test_names_do_not_matter(self, files, tmp_path, name, suffix):
        path = tmp_path / f'weights{suffix}'
        path.write_bytes(files[name].read_bytes())
        checkpoint = read_checkpoint(path)
        state = dict(checkpoint.get('state_dict', checkpoint))
        # The causal mask is a buffer that only TorchScript saves.
        state.pop('attn_mask', None)
        assert_same(state, open_clip_model().state_dict())

    @pytest.mark.parametrize('meta, expected', [
        (dict(format='pt', config='a.py'), dict(format='pt', config='a.py')),
        (dict(meta=json.dumps(dict(epoch=3))), dict(epoch=3)),
        (dict(meta='[1]'), dict(meta='[1]')),
        (dict(meta='no JSON'), dict(meta='no JSON')),
        (None, {}),
    ])
    def test_meta_of_safetensors(self, tmp_path, meta, expected):
        safetensors.torch.save_file(dict(weight=torch.arange(3)), tmp_path / 'weights', metadata=meta)
        checkpoint = read_checkpoint(tmp_path / 'weights')
        assert checkpoint['meta'] == expected and checkpoint['state_dict']['weight'].tolist() == [0, 1, 2]

    @pytest.mark.parametrize('name', ['float16', 'bfloat16', 'float64', 'int64', 'int8', 'uint8', 'bool'])
    def test_types_of_numbers(self, tmp_path, name):
        dtype = getattr(torch, name)

        class Holder(torch.nn.Module):

            def __init__(self) -> None:
                super().__init__()
                self.register_buffer('numbers', torch.tensor([[0, 1, 2], [3, 4, 5]]).to(dtype).t())
                self.register_buffer('none', torch.empty(0, 3, dtype=dtype))
                self.register_buffer('one', torch.tensor(1).to(dtype))

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x

        torch.jit.save(torch.jit.script(Holder()), str(tmp_path / 'script.pt'))
        assert_same(read_checkpoint(tmp_path / 'script.pt')['state_dict'], Holder().state_dict())

    def test_elsewhere(self, files):
        for name in FORMATS:
            checkpoint = read_checkpoint(files[name], 'meta')
            assert all(value.is_meta for value in checkpoint.get('state_dict', checkpoint).values()), name

    def test_there_is_none(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='There is no checkpoint .*weights.pt'):
            read_checkpoint(tmp_path / 'weights.pt')

    def test_no_dict(self, tmp_path):
        torch.save([1, 2], tmp_path / 'list.pt')
        refused(tmp_path / 'list.pt', 'list.pt holds a list, but a checkpoint is a dict')

    @pytest.mark.parametrize('content, there, key', [
        (dict(state_dict=[torch.zeros(1)]), ' under `state_dict`', "'list'"),
        (dict(state_dict={1: torch.zeros(1)}), ' under `state_dict`', '1'),
        ({0: torch.zeros(1), 1: torch.zeros(1)}, '', '0'),
    ])
    def test_weights_without_names(self, tmp_path, content, there, key):
        torch.save(content, tmp_path / 'odd.pt')
        refused(tmp_path / 'odd.pt', f'odd.pt has no weights{there}: they are a dict of tensors by name, but there '
                f'is {key}.')

    def test_unknown_address(self):
        with pytest.raises(FileNotFoundError, match='no file backend for hub://. Fetch the file'):
            read_checkpoint('hub://weights.pt')


def archive(**records: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as target:
        for name, content in records.items():
            target.writestr(name, content)
    return file.getvalue()


def numpy_archive() -> bytes:
    file = io.BytesIO()
    np.savez(file, weight=np.zeros(3))
    return file.getvalue()


class TestWhatIsNoFileOfWeights:

    @pytest.mark.parametrize('content, what', [
        (b'', 'it is empty'),
        (b'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab\nsize 12345\n',
         'it is a Git LFS pointer, not the file that it stands for: fetch that with "git lfs pull"'),
        (b'\n <!DOCTYPE html><html><head>', 'it is an HTML page: the download gave a page instead of the file'),
        (b'\xef\xbb\xbf<html lang="en">', 'it is an HTML page'),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied', 'it is an XML document: the download gave an error'),
        (b'{"error": "Entry not found"}', 'it is JSON text'),
        (b'{"abcd":{"efgh": 1}}', 'it is JSON text'),
        (gzip.compress(b'weights', mtime=0), 'it is compressed with gzip: unpack it first'),
        (archive(document=b'text'), 'it is a zip archive that torch did not write'),
        (numpy_archive(), 'it is a NumPy archive that torch did not write'),
        (b'Entry not found', 'it is no file of torch.save, no TorchScript archive and no safetensors file'),
        (b'\x89HDF\r\n\x1a\n', 'it is an HDF5 file'),
    ])
    @pytest.mark.parametrize('suffix', ['.pt', '.safetensors'])
    def test_is_named(self, tmp_path, content, what, suffix):
        path = tmp_path / f'weights{suffix}'
        path.write_bytes(content)
        assert refused(path, 'cannot be read as a checkpoint').startswith(
            f'{path} cannot be read as a checkpoint: {what}')


class TestTruncated:

    @pytest.mark.parametrize('name', FORMATS)
    def test_anywhere(self, files, tmp_path, name):
        content = files[name].read_bytes()
        path = tmp_path / 'half.pt'
        for length in [*range(1, 40, 3), *range(40, len(content), len(content) // 25), len(content) - 1]:
            path.write_bytes(content[:length])
            refused(path, r'half.pt cannot be read as a checkpoint: ')

    @pytest.mark.parametrize('name', FORMATS)
    def test_in_the_middle(self, files, tmp_path, name):
        content = files[name].read_bytes()
        (tmp_path / 'half.pt').write_bytes(content[:len(content) // 2])
        refused(tmp_path / 'half.pt', 'truncated')
        with pytest.raises(UnreadableCheckpointError, match='half.pt'):
            read_published(CLIP, str(tmp_path / 'half.pt'))

    @pytest.mark.parametrize('name', ['zip', 'TorchScript'])
    def test_damaged(self, files, tmp_path, name):
        content = bytearray(files[name].read_bytes())
        middle = len(content) // 2
        content[middle:middle + 8] = bytes(255 - byte for byte in content[middle:middle + 8])
        (tmp_path / 'bad.pt').write_bytes(content)
        refused(tmp_path / 'bad.pt', 'bad.pt is damaged: the sum of .* is not the one written')


class TestSafetensorsThatLie:

    @staticmethod
    def write(path: Path, header: dict, numbers: bytes, length: int = -1) -> Path:
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack('<Q', len(text) if length < 0 else length) + text + numbers)
        return path

    @pytest.mark.parametrize('entry, numbers', [
        (dict(dtype='F32', shape=[1000], data_offsets=[0, 4000]), b'\0' * 16),
        (dict(dtype='F32', shape=[1000], data_offsets=[0, 16]), b'\0' * 16),
        (dict(dtype='F32', shape=[2**62, 4], data_offsets=[0, 16]), b'\0' * 16),
        (dict(dtype='F32', shape=[2], data_offsets=[8, 16]), b'\0' * 16),
        (dict(dtype='PICKLE', shape=[4], data_offsets=[0, 16]), b'\0' * 16),
        (dict(dtype='F32', shape=[4], data_offsets=[0, 16]), b'\0' * 99),
    ])
    def test_header(self, tmp_path, entry, numbers):
        path = self.write(tmp_path / 'lie.safetensors', dict(weight=entry), numbers)
        refused(path, 'lie.safetensors cannot be read as a checkpoint: it is a safetensors file that is truncated or')

    def test_length_of_the_header(self, tmp_path):
        path = self.write(tmp_path / 'lie.safetensors', dict(weight={}), b'', length=10**9)
        refused(path, 'it is truncated, a safetensors file that ends within its header')

    def test_a_header_that_begins_as_text(self, tmp_path):
        """A length of 123 reads as the brace that JSON text begins with."""
        header = dict(weight=dict(dtype='F32', shape=[2], data_offsets=[0, 8]))
        header['__metadata__'] = dict(note='')
        header['__metadata__']['note'] = 'x' * (123 - len(json.dumps(header)))
        path = self.write(tmp_path / 'weights', header, struct.pack('<ff', 1, 2))
        assert path.read_bytes()[:1] == b'{'
        assert read_checkpoint(path)['state_dict']['weight'].tolist() == [1, 2]


class TestMalicious:

    @pytest.mark.parametrize('zipped', [True, False])
    @pytest.mark.parametrize('suffix', ['.pt', '.safetensors'])
    def test_nothing_runs(self, tmp_path, zipped, suffix):
        path, marker = tmp_path / f'bad{suffix}', tmp_path / 'made'
        torch.save(
            dict(state_dict=open_clip_model().state_dict(), more=Malicious(marker)),
            path,
            _use_new_zipfile_serialization=zipped)
        message = refused(path, r'it is truncated, of another format, or holds objects that are not tensors \(.*mkdir')
        assert 'reads it all the same' not in message
        with pytest.raises(UnreadableCheckpointError) as raised:
            read_published(CLIP, str(path))
        assert str(raised.value).endswith(
            'If you know where it comes from, trust_pretrained=True of the encoder reads it all the same, and runs '
            'what it says.')
        refused(path, r'bad.*If you know where it comes from, --trust reads it', trust_option='--trust')
        assert not marker.exists()

    def test_trust_is_for_what_a_user_vouches_for(self, tmp_path):
        path, marker = tmp_path / 'lightning.pt', tmp_path / 'made'
        torch.save(dict(state_dict=open_clip_model().state_dict(), more=Malicious(marker)), path)
        assert 'proj' in read_published(CLIP, str(path), trust=True).part('image.clip.') and marker.exists()

    def test_a_storage_with_more_numbers_than_the_file(self, tmp_path):
        torch.save(dict(weight=torch.arange(4.0)), tmp_path / 'good.pt')
        changed = []

        def enlarge(content: bytes) -> bytes:
            # Small numbers stand behind a K: 4 of them in the storage, and a tensor of that shape.
            changed.append(content.count(b'K\x04t') and content.count(b'K\x04\x85'))
            return content.replace(b'K\x04t', b'K\x80t').replace(b'K\x04\x85', b'K\x80\x85')

        refused(rewrite_archive(tmp_path / 'good.pt', tmp_path / 'lie.pt', data_pkl=enlarge), 'does not match expected')
        assert changed == [1]

    @pytest.mark.parametrize('zipped', [True, False])
    @pytest.mark.parametrize('trust', [True, False])
    def test_trust_does_not_mend_a_truncated_file(self, tmp_path, zipped, trust):
        path = tmp_path / 'half.pt'
        torch.save(open_clip_model().state_dict(), path, _use_new_zipfile_serialization=zipped)
        path.write_bytes(path.read_bytes()[:-100])
        message = refused(path, 'half.pt cannot be read', trust_option='--trust', trust=trust)
        assert 'reads it all the same' not in message


class PointersOfTheFile:
    """An array of objects over bytes: whoever reads one follows a pointer of the file's choice."""

    def __reduce__(self) -> tuple:
        return np.ndarray, ((1, ), 'O', b'A' * 8)


def test_arrays_over_bytes_are_refused(tmp_path):
    torch.save(dict(state_dict={}, bad=PointersOfTheFile()), tmp_path / 'bad.pth')
    with pytest.raises(UnreadableCheckpointError, match='it makes an array otherwise than pickle does'):
        read_checkpoint(tmp_path / 'bad.pth')
    torch.save(dict(state_dict={}, bad=np.array([None])), tmp_path / 'objects.pth')
    with pytest.raises(UnreadableCheckpointError, match="it asks for an array of 'O"):
        read_checkpoint(tmp_path / 'objects.pth')
    kept = np.arange(3.0)
    torch.save(dict(state_dict={}, good=kept, number=np.float64(2.5)), tmp_path / 'good.pth')
    read = read_checkpoint(tmp_path / 'good.pth')
    assert (read['good'] == kept).all() and read['number'] == 2.5


def with_fields(content: bytes, **fields: int) -> bytes:
    """An archive whose first record has other numbers in the list at the end."""
    places = dict(flags=8, packing=10, made_by=6)
    start = content.rindex(b'PK\x01\x02', 0, content.index(b'PK\x01\x02') + 4)
    changed = bytearray(content)
    for name, value in fields.items():
        changed[start + places[name]:start + places[name] + 2] = value.to_bytes(2, 'little')
    return bytes(changed)


class TestDamagedArchives:
    """Python's reader of zip archives raises other errors for each of these."""

    @pytest.fixture
    def whole(self):
        return archive(**{'weights/data.pkl': b'\x80\x02}.', 'weights/version': b'3\n'})

    @pytest.mark.parametrize('fields', [
        dict(made_by=1000), dict(packing=99), dict(flags=1), dict(flags=0x40), dict(flags=0x20), dict(packing=8),
        dict(packing=14), dict(packing=12)], ids=str)
    def test_numbers(self, tmp_path, whole, fields):
        (tmp_path / 'a.pth').write_bytes(with_fields(whole, **fields))
        refused(tmp_path / 'a.pth', 'a.pth cannot be read as a checkpoint: it(s records are compressed| is truncated)')

    def test_names_that_are_no_text(self, tmp_path, whole):
        content = with_fields(whole, flags=0x800).replace(b'weights/version', b'\xff\xfeights/version')
        content = with_fields(content.replace(b'weights/data', b'\xff\xfeights/data'), flags=0x800)
        (tmp_path / 'a.pth').write_bytes(content)
        refused(tmp_path / 'a.pth', 'a.pth cannot be read as a checkpoint: it is truncated or damaged')


class TestPicklesOutOfProportion:
    """Of 60 bytes that would take 32 GiB, or the process, or for ever."""

    CONTENTS = (b'\x80\x02}r\xff\xff\xff\x7f.', b'\x80\x02})' + b'\x85' * 200000 + b'Ns.',
                b'\x80\x02})' + b'2\x86' * 60 + b'Ns.', b'\x80\x02X\xff\xff\xff\x7fa.')

    @pytest.mark.parametrize('content', CONTENTS, ids=['numbers', 'deep', 'doubled', 'long'])
    def test_in_an_archive(self, tmp_path, content):
        (tmp_path / 'a.pth').write_bytes(archive(**{'weights/data.pkl': content, 'weights/version': b'3\n'}))
        refused(tmp_path / 'a.pth', 'it numbers an object|more than 1,000 tuples|it ends early')

    @pytest.mark.parametrize('content', CONTENTS, ids=['numbers', 'deep', 'doubled', 'long'])
    def test_in_the_old_format(self, tmp_path, content):
        torch.save({}, tmp_path / 'a.pth', _use_new_zipfile_serialization=False)
        whole = (tmp_path / 'a.pth').read_bytes()
        (tmp_path / 'a.pth').write_bytes(whole[:whole.index(b'}', 60)] + content[2:])
        refused(tmp_path / 'a.pth', 'it numbers an object|more than 1,000 tuples|it ends early')


@pytest.mark.parametrize('text', ['"a": ' + '[' * 100000, '"weight_map": ' + '9' * 5000 + '}', '"\ud800'],
                         ids=['deep', 'long', 'half'])
def test_an_index_that_is_no_json(tmp_path, text):
    path = tmp_path / 'model.safetensors.index.json'
    path.write_bytes(b'{' + text.encode('utf-8', 'surrogatepass'))
    refused(path, 'it is JSON text, but no index of weights in several files')


@pytest.mark.parametrize('meta', ['[' * 100000, '9' * 5000, 'text'], ids=['deep', 'long', 'text'])
def test_metadata_that_is_no_json_stays_text(tmp_path, meta):
    safetensors.torch.save_file({'a': torch.zeros(1)}, tmp_path / 'a.safetensors', metadata=dict(meta=meta))
    found = read_checkpoint(tmp_path / 'a.safetensors')['meta']
    assert found == (dict(meta=meta))


@pytest.mark.parametrize('shape', [[0, 2**63], [2**64 - 1, 0]], ids=str)
def test_a_shape_that_no_tensor_has(tmp_path, shape):
    path = tmp_path / 'a.safetensors'
    header = json.dumps(dict(a=dict(dtype='F32', shape=shape, data_offsets=[0, 0]))).encode()
    path.write_bytes(len(header).to_bytes(8, 'little') + header)
    refused(path, r'a in it has the shape \[.*, which no tensor has')
    with pytest.raises(ValueError, match=r'a.safetensors: a has the shape \[.*, which no tensor has'):
        read_shapes((path, ))
