"""Faults in SeqTR's files: what is said about them, and what is lost with them."""

import pytest

from mmris.datasets.refer_files import read_ref_images
from tests.datasets.readers.seqtr_files import count, read_val, to_seqtr, write


@pytest.fixture(scope='module')
def seqtr_file(refer_folder, refer):
    return write(refer_folder.parent, 'annotations/refcoco-unc/instances.json', to_seqtr(refer))


@pytest.mark.parametrize(('change', 'message'), [
    (lambda item: item.pop('image_id'), 'the item at position 0 of val lacks image_id.'),
    (lambda item: item.update(image_id=True), 'of val has image_id=True, but ids are whole numbers or text'),
    (lambda item: item.update(image_id='a'), "has image_id='a', but the names of image files are made of numbers"),
    (lambda item: item.update(expressions=[]), 'has expressions=[], but a list of sentences is expected'),
    (lambda item: item.update(expressions=[7]), 'sentence val-0-0 is empty (sent=7)'),
    (lambda item: item.update(mask='a.png'), 'a segmentation is a list of polygons or an RLE dict, but this is'),
    (lambda item: item.update(mask=[[1, 2, {}, 4, 5, 6]]), 'a polygon is a list of x, y pairs'),
    (lambda item: item.pop('mask'), "points to annotation 'val-0', which has no segmentation"),
    (lambda item: item.update(annotations=[]), 'has annotations=[], but a list of the targets is expected'),
    (lambda item: item.update(annotations=[[], []]), 'has 1 expressions and 2 lists of annotations'),
    (lambda item: item.update(annotations=[[]]), 'has [] in place of the annotations of an expression'),
    (lambda item: item.update(annotations=[dict(bbox=None)]), 'of val lacks id.'),
    (lambda item: item.update(annotations=[dict(id=None)]), 'has an annotation with id=None, but ids are whole'),
    (lambda item: item.update(annotations=[dict(id=5), dict(id=-1)]), 'has both a target and an annotation without'),
])
def test_says_what_is_wrong_with_an_item(change, message, refer_folder, refer, tmp_path):
    value = to_seqtr(refer)
    change(value['val'][0])
    path = write(tmp_path, 'refcoco-unc/instances.json', value)
    with pytest.raises(ValueError) as error:
        read_val(refer_folder, path)
    assert path in str(error.value) and message in str(error.value)
    assert count(read_val(refer_folder, path, bad_data='skip')) == len(value['val']) - 1


def test_an_item_that_is_no_dict_is_in_the_way_of_its_split_alone(refer_folder, refer, seqtr_file, tmp_path):
    value = to_seqtr(refer)
    value['train'][0] = 'a man'
    path = write(tmp_path, 'instances.json', value)
    with pytest.raises(ValueError, match="position 0 of train is 'a man', but a dict is expected"):
        read_val(refer_folder, path, 'train')
    assert read_val(refer_folder, path) == read_val(refer_folder, seqtr_file)
    assert read_ref_images(path, ['val'])
    with pytest.raises(ValueError, match="position 0 of train is 'a man', but a dict is expected"):
        read_ref_images(path, ['train'])


def test_a_split_that_is_no_list(refer_folder, refer, tmp_path):
    path = write(tmp_path, 'instances.json', dict(to_seqtr(refer), val={'a': 1}))
    with pytest.raises(ValueError, match="has {'a': 1} under 'val', but by the name of each split a list of items"):
        read_val(refer_folder, path)


def test_boxes_alone_are_refused(refer_folder, refer, tmp_path):
    value = to_seqtr(refer)
    for items in value.values():
        for item in items:
            del item['mask']
    with pytest.raises(ValueError, match='has boxes alone, as those of flickr30k.* Take a file with a mask an item'):
        read_val(refer_folder, write(tmp_path, 'flickr30k/instances.json', value))


def test_as_annotation_file_it_is_sent_to_the_refs_file(refer_folder, seqtr_file):
    with pytest.raises(ValueError, match="is not a COCO annotation file: .* It is SeqTR's dict of splits .* Name it "
                       r'as the refs file \(refs_file, --refs-file\)'):
        read_val(refer_folder, refer_folder / 'refs(unc).p', ann_file=seqtr_file)


def test_a_truncated_file_is_fetched_again(refer_folder, seqtr_file, tmp_path):
    path = tmp_path / 'instances.json'
    with open(seqtr_file) as file:
        path.write_text(file.read()[:-300])
    with pytest.raises(ValueError, match='is not a whole JSON file .* Fetch or make it again'):
        read_val(refer_folder, path)
