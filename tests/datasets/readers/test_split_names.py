"""Which split a path is of, and which files a folder stands for."""

import pytest

from mmris.datasets.readers import find_files
from mmris.datasets.readers.source import split_of_name


@pytest.mark.parametrize('path, split', [
    ('finetune_refcoco_testA.json', 'testA'), ('data/validation-00000-of-00001.parquet', 'val'), ('val/1.json', 'val'),
    ('refer_train.json', 'train'), ('test_data/refs(unc).p', None), ('my_train/1.json', None),
    ('test/refcoco_val.json', 'val'), ('testA/1.json', 'testA'), ('image_data_split3000.json', None),
])
def test_of_a_file(path, split):
    assert split_of_name(path) == split


def test_of_a_folder_only_its_own_name_counts(tmp_path):
    for name in ('train/set', 'set/val'):
        (tmp_path / name).mkdir(parents=True)
    assert split_of_name(str(tmp_path / 'train/set')) is None
    assert split_of_name(str(tmp_path / 'set/val')) == split_of_name(f'{tmp_path}/set/val/') == 'val'


def test_folders_of_images_with_a_json_each(tmp_path):
    """Names of images may tell splits by chance; folders of splits without such pairs are no files of a set."""
    for split in ('train', 'val', 'test'):
        (tmp_path / split).mkdir()
        (tmp_path / split / 'train_1.json').touch()
    assert find_files(str(tmp_path)) == [str(tmp_path)]
    assert find_files(str(tmp_path / 'val')) == [str(tmp_path / 'val' / 'train_1.json')]
    for split in ('train', 'val'):
        (tmp_path / split / 'train_1.jpg').touch()
    assert find_files(str(tmp_path)) == [str(tmp_path / 'train'), str(tmp_path / 'val')]
    assert find_files(str(tmp_path / 'val')) == [str(tmp_path / 'val')]
