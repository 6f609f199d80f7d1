"""A ShapeRef for the tests of each form."""

import pytest

from tests.datasets.readers.shaperef_forms import ReferSet, make_shaperef


@pytest.fixture(scope='module')
def refer_folder(tmp_path_factory):
    """The REFER files of a few scenes."""
    return make_shaperef(tmp_path_factory.mktemp('set'))


@pytest.fixture(scope='module')
def refer(refer_folder):
    """What is in them."""
    return ReferSet(refer_folder)
