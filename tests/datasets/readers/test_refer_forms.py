"""Sets held as REFER files: RefCOCO's own, patterns, and COCO's names of 2017."""

import pytest

from mmris.datasets.readers.source import split_of_name
from tests.datasets.readers.shaperef_forms import assert_same_samples


def test_a_pattern_names_the_refs_file(refer_folder):
    assert_same_samples(refer_folder, refer_folder / 'refs(*).p', ann_file=refer_folder / 'instances.json')


@pytest.mark.parametrize('folder', ['test_data', 'val'])
def test_the_name_of_a_folder_hides_no_refs_file(refer_folder, tmp_path, folder):
    (tmp_path / folder).mkdir()
    refs = tmp_path / folder / 'refs(unc).p'
    refs.write_bytes((refer_folder / 'refs(unc).p').read_bytes())
    assert_same_samples(refer_folder, refs, splits=['testB'], ann_file=refer_folder / 'instances.json')


@pytest.mark.parametrize(('path', 'split'), [
    ('val/1.json', 'val'), ('validation/1.json', 'val'), ('testA/1.json', 'testA'), ('val2014/1.json', None),
    ('test_data/1.json', None), ('trains/1.json', None), ('a/finetune_refcoco+_testA.json', 'testA'),
    ('mdetr_train/finetune_refcoco_val.json', 'val')])
def test_a_file_tells_its_split(path, split):
    assert split_of_name(path) == split
