"""Sets held as REFER files: RefCOCO's own, patterns, and COCO's names of 2017."""

import pytest

from tests.datasets.readers.shaperef_forms import assert_same_samples, make_shaperef


@pytest.fixture(scope='module')
def refer_folder(tmp_path_factory):
    return make_shaperef(tmp_path_factory.mktemp('set'))


def test_a_pattern_names_the_refs_file(refer_folder):
    assert_same_samples(refer_folder, refer_folder / 'refs(*).p', ann_file=refer_folder / 'instances.json')
