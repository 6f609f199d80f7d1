"""Properties of readers over arbitrary content, drawn by hypothesis."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmris.datasets.instance_masks import read_instance_masks
from mmris.datasets.masks import check_segmentation, decode_segmentation, segmentation_extent
from mmris.datasets.plain_pickle import load_plain_pickle
from mmris.datasets.problems import ProblemTally
from mmris.datasets.readers import FORMS, find_form, read_content
from mmris.datasets.refer_files import check_content, read_refer_files
from mmris.images import read_image
from mmris.utils.pickle_instructions import check_pickle
from mmris.utils.run_lengths import encode_mask
from tests.fuzzing.judging import fault_of
from tests.fuzzing.targets_tokenizers import vocabularies

hypothesis = pytest.importorskip('hypothesis')
st = pytest.importorskip('hypothesis.strategies')
arrays = pytest.importorskip('hypothesis.extra.numpy').arrays

FEW = hypothesis.settings(derandomize=True, max_examples=60, deadline=None, database=None,
                          suppress_health_check=list(hypothesis.HealthCheck))

NUMBERS = st.integers() | st.sampled_from([2**63, -2**64, 10**400]) | st.floats()
TEXT = st.text(st.characters(), max_size=20)
# Names that forms ask for, so that drawn documents are often of one of them.
KEYS = st.sampled_from([
    'images', 'annotations', 'id', 'image_id', 'ann_id', 'ref_id', 'split', 'sentences', 'sent', 'sent_id', 'raw',
    'file_name', 'height', 'width', 'segmentation', 'bbox', 'mask', 'text', 'image', 'caption', 'original_id', 'counts',
    'size', 'score', 'expressions', 'segment_id', 'img_name', 'descriptions', 'original_dataset', 'phrase', 'Polygons',
    'ann_ids', 'task_id', 'data', 'result', 'value', 'type', 'shapes', 'points', 'label', 'idx', 'image_path']) | TEXT
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT | st.sampled_from(['val', 'train', 'a.jpg', '5', 'the red one']),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=8), max_leaves=30)


# Of image files of several formats.
STARTS = [b'', b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff\xe1', b'II*\0', b'RIFF', b'GIF89a', b'BM', b'P6 3 3 255 ',
          b'\x01\xda']


def assert_ours(error: Exception, folder: Path) -> None:
    """Check that an error is one of ours that names the file."""
    fault = fault_of(error, [str(folder)])
    assert fault is None, '\n'.join(fault)


class TestMasks:

    @FEW
    @hypothesis.given(arrays(np.bool_, st.tuples(st.integers(1, 20), st.integers(1, 20))))
    def test_what_is_encoded_is_decoded(self, mask):
        rle = encode_mask(mask)
        assert rle['counts'].encode() == coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))['counts']
        assert np.array_equal(decode_segmentation(rle, *mask.shape), mask)
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = segmentation_extent(rle, *mask.shape)
        assert (box is None) == (not mask.any())
        if box is not None:
            assert box == (columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1)

    @FEW
    @hypothesis.given(st.lists(st.integers(-2, 30) | NUMBERS, max_size=12) | st.text('0123456789:;<=>?@ABC`abco~\0é') |
                      st.binary(max_size=12))
    def test_any_counts(self, counts):
        for segmentation in (dict(size=[5, 6], counts=counts), [dict(size=[5.0, 6], counts=counts)]):
            try:
                check_segmentation(segmentation, 5, 6)
            except ValueError as error:
                assert fault_of(error, ['']) is None
                continue
            assert decode_segmentation(segmentation, 5, 6).shape == (5, 6)

    @FEW
    @hypothesis.given(st.integers(0, 29).flatmap(
        lambda first: st.lists(st.integers(0, 30 - first), max_size=8).map(lambda more: [first, *more])))
    def test_counts_of_the_right_sum(self, counts):
        left, kept = 30, []
        for count in counts:
            kept.append(min(count, left))
            left -= kept[-1]
        kept.append(left)
        values = np.repeat(np.arange(len(kept)) % 2, kept).reshape(6, 5).T
        assert np.array_equal(decode_segmentation(dict(size=[5, 6], counts=kept), 5, 6), values)

    @FEW
    @hypothesis.given(st.lists(st.lists(st.floats(-3, 12), max_size=10) | st.lists(NUMBERS, max_size=8) | VALUES,
                               max_size=3))
    def test_any_polygons(self, polygons):
        try:
            check_segmentation(polygons, 7, 9)
        except ValueError as error:
            assert fault_of(error, ['']) is None
            return
        mask = decode_segmentation(polygons, 7, 9)
        assert mask.shape == (7, 9) and mask.max() <= 1


class TestDocuments:

    @pytest.mark.parametrize('name', [name for name in FORMS if name != 'masks'])
    @hypothesis.settings(FEW, max_examples=25)
    @hypothesis.given(value=VALUES)
    def test_any_document_in_each_form(self, name, value, tmp_path_factory):
        folder = tmp_path_factory.getbasetemp()
        path = folder / 'documents_val.json'
        path.write_bytes(json.dumps(value).encode())
        try:
            content, splits = read_content(str(path), form=find_form(name), image_folder=str(folder),
                                           instances_path=str(path))
            check_content(content, splits, instances_path=str(path), refs_path=str(path), report=ProblemTally().report)
        except Exception as error:
            assert_ours(error, folder)

    @FEW
    @hypothesis.given(value=st.lists(st.dictionaries(KEYS, VALUES, max_size=8), max_size=3) | VALUES)
    def test_any_document_as_both_files(self, value, tmp_path_factory):
        folder = tmp_path_factory.getbasetemp()
        path = folder / 'both.json'
        path.write_bytes(json.dumps(value).encode())
        for read in (lambda: read_refer_files(str(path), str(path), report=ProblemTally().report),
                     lambda: read_instance_masks(str(path), report=ProblemTally().report)):
            try:
                read()
            except Exception as error:
                assert_ours(error, folder)

    @FEW
    @hypothesis.given(value=VALUES, protocol=st.integers(0, 5))
    def test_pickles_come_back(self, value, protocol, tmp_path_factory):
        path = tmp_path_factory.getbasetemp() / 'refs.p'
        content = pickle.dumps(value, protocol=protocol)
        path.write_bytes(content)
        assert check_pickle(content) == len(content)
        # NaN is not equal to itself.
        assert repr(load_plain_pickle(path)) == repr(value)


class TestBytes:

    @FEW
    @hypothesis.given(content=st.binary(max_size=300))
    def test_as_a_pickle(self, content, tmp_path_factory):
        folder = tmp_path_factory.getbasetemp()
        (folder / 'refs.p').write_bytes(content)
        try:
            load_plain_pickle(folder / 'refs.p')
        except Exception as error:
            assert_ours(error, folder)

    @FEW
    @hypothesis.given(start=st.sampled_from(STARTS), content=st.binary(max_size=200))
    def test_as_an_image(self, start, content, tmp_path_factory):
        folder = tmp_path_factory.getbasetemp()
        (folder / 'image').write_bytes(start + content)
        try:
            assert read_image(folder / 'image').ndim == 3
        except Exception as error:
            assert_ours(error, folder)


class TestSentences:

    @pytest.fixture(scope='class')
    def tokenizers(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp('vocabularies')
        found = []
        for kind, content in vocabularies().items():
            (folder / kind.__name__).write_bytes(content)
            found.append(kind(context_length=9, vocabulary=folder / kind.__name__))
        return found

    @FEW
    @hypothesis.given(text=st.text(st.characters(), max_size=60))
    def test_any_text(self, text, tokenizers):
        for tokenizer in tokenizers:
            ids, mask = tokenizer([text, 'the red one'])
            assert ids.shape == mask.shape == (2, 9) and mask.any(axis=1).all()
            assert 0 <= ids.min() and ids.max() < tokenizer.vocabulary.size
            assert isinstance(tokenizer.decode(ids[0], mask[0]), str)
