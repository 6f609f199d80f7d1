"""Files of other projects that are not read: what they are called, and the remedy."""

import pickle
import zipfile

import pytest
import torch

from mmris.datasets.data_files import read_json
from mmris.datasets.readers import read_content

# TransVG's: name of the image, size, box, phrase, attributes.
TRANSVG = [('COCO_train2014_000000000001.jpg', 'a.pth', [1, 2, 30, 40], 'the man', None)]


def refusal(path) -> str:
    with pytest.raises(ValueError) as error:
        read_content(str(path))
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize('archive', [True, False])
def test_lists_of_torch_save(archive, tmp_path):
    path = tmp_path / 'unc_val.pth'
    torch.save(TRANSVG, path, _use_new_zipfile_serialization=archive)
    message = refusal(path)
    assert 'is a file of torch.save, as TransVG and OneRef keep lists of boxes in' in message
    assert 'Take the refs(...).p and instances.json of the same set: mmris download refcoco' in message
    assert 'unpack' not in message


def test_a_truncated_archive_of_torch_save_is_one_too(tmp_path):
    path = tmp_path / 'unc_val.pth'
    torch.save(TRANSVG, path)
    path.write_bytes(path.read_bytes()[:200])
    assert 'is a file of torch.save' in refusal(path)


def test_torch_save_in_place_of_annotations(tmp_path):
    path = tmp_path / 'instances.json'
    torch.save(TRANSVG, path)
    with pytest.raises(ValueError, match='is a file of torch.save, in which no annotations are read: take the same set '
                                         'as JSON'):
        read_json(str(path))


def test_other_zip_archives_are_to_be_unpacked(tmp_path):
    path = tmp_path / 'export.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('result.json', '[]')
    assert 'is a zip archive (such as of an export): unpack it, and name the file in it' in refusal(path)
    path = tmp_path / 'empty.zip'
    with zipfile.ZipFile(path, 'w'):
        pass
    assert 'is a zip archive without a file in it: fetch or export it again' in refusal(path)


def test_lmdb(tmp_path):
    # The start of its first page: a number, flags, and after 16 bytes LMDB's own number.
    page = bytes(10) + b'\x08\0' + bytes(4) + b'\xde\xc0\xef\xbe' + b'\x01\0\0\0' + bytes(4000)
    (tmp_path / 'val.lmdb').write_bytes(page)
    (tmp_path / 'folder.lmdb').mkdir()
    (tmp_path / 'folder.lmdb' / 'data.mdb').write_bytes(page)
    for name in ('val.lmdb', 'folder.lmdb'):
        message = refusal(tmp_path / name)
        assert 'is an LMDB, as CRIS packs sets into' in message
        assert "Take the files that it was made from: refs(...).p with instances.json, or CRIS's anns/*.json" in message


def test_a_number_is_no_file_of_torch(tmp_path):
    path = tmp_path / 'refs(unc).p'
    path.write_bytes(pickle.dumps(True))
    assert 'torch' not in refusal(path)
