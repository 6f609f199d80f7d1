"""A folder of masks beside text files."""

import numpy as np
import pytest
from PIL import Image

from mmris.datasets.masks import decode_segmentation
from mmris.datasets.readers.forms import recognise
from mmris.datasets.readers.opening import open_value
from mmris.datasets.set_check import check_set
from tests.datasets.readers.own_exports import convert, splits_of_images, write_mask_folder, write_refer
from tests.datasets.readers.shaperef_forms import assert_same_samples, read_samples


@pytest.fixture
def read(tmp_path):
    """Convert masks of 4 x 6 pixels by name, whose text says the name, beside images by name."""
    folder = tmp_path / 'own'

    def run(masks, images=('a.jpg', 'b.jpg'), values=255, **options):
        for name in images:
            (folder / 'images' / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new('RGB', (6, 4)).save(folder / 'images' / name)
        for name in masks:
            path = folder / 'masks' / f'{name}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.resize(np.uint8([0, values]), (4, 6))).save(path)
            path.with_suffix('.txt').write_text(f'{name}\n', encoding='utf-8')
        return convert('masks', folder / 'masks', folder / 'images', **options)

    return run


def images_of(content):
    names = {one['id']: one['file_name'] for one in content.instances['images']}
    return {one.ref['sentences'][0]['raw']: names[one.ref['image_id']] for one in content.refs}


def test_it_gives_the_samples_of_the_refer_files(refer_folder, refer, tmp_path):
    content = convert('masks', write_mask_folder(refer, tmp_path / 'masks'), refer_folder / 'images')
    assert len(content.refs) == len(refer.refs) and not content.left_out.counts
    refs_file = write_refer(content, tmp_path / 'own', splits_of_images(refer))
    assert_same_samples(refer_folder, refs_file, ann_file=refs_file.parent / 'instances.json')
    report = check_set(
        instances_path=str(refs_file.parent / 'instances.json'), refs_path=str(refs_file),
        image_folder=str(refer_folder / 'images'), decode=True)
    assert report.is_fine, report.problems


def test_names_of_masks(read):
    content = read(['a', 'b_1', 'b_left_2', 'c_1_x', 'd/1', 'd/a'], ['a.jpg', 'b.jpg', 'c_1.png', 'x/d.tif'])
    assert images_of(content) == {
        'a': 'a.jpg', 'b_1': 'b.jpg', 'b_left_2': 'b.jpg', 'c_1_x': 'c_1.png', 'd/1': 'x/d.tif', 'd/a': 'x/d.tif'}


def test_a_name_that_fits_two_images_is_refused(read):
    with pytest.raises(ValueError, match='a_1.png could be a mask of any of a.jpg, a_1.jpg. Put the masks of an image '
                       'into a folder of its name, such as a/1.png'):
        read(['a_1'], ['a.jpg', 'a_1.jpg'])


def test_masks_below_the_folder_of_the_images_are_no_images(read, tmp_path):
    read(['a_1'])
    (tmp_path / 'own' / 'masks').rename(tmp_path / 'own' / 'images' / 'masks')
    content = convert('masks', tmp_path / 'own' / 'images' / 'masks', tmp_path / 'own' / 'images')
    assert images_of(content) == {'a_1': 'a.jpg'}


def test_what_is_left_out_is_counted_by_kind(read, tmp_path):
    read(['a', 'b', 'b_2', 'z_1'])
    (tmp_path / 'own' / 'masks' / 'b.txt').unlink()
    (tmp_path / 'own' / 'masks' / 'b_2.txt').write_text('\n')
    content = convert('masks', tmp_path / 'own' / 'masks', tmp_path / 'own' / 'images')
    assert images_of(content) == {'a': 'a.jpg'}
    assert content.left_out.counts == {'mask without a sentence': 2, 'image without a file': 1}
    first = next(content.left_out.lines('left out'))
    assert 'b.png has no sentence in b.txt, which has one a line.' in first


def test_masks_in_folders_like_those_of_the_images(read):
    images = ['a/1.jpg', 'b/1.jpg', 'b/2.jpg', 'b/b.jpg', '1.jpg']
    content = read(['a/1_0', 'b/1_0', 'b/2_0', 'b/b', '1_0', 'a/2_0'], images)
    assert images_of(content) == {
        'a/1_0': 'a/1.jpg', 'b/1_0': 'b/1.jpg', 'b/2_0': 'b/2.jpg', 'b/b': 'b/b.jpg', '1_0': '1.jpg'}
    assert content.left_out.counts == {'image without a file': 1}, 'the image a/2 is not there; b/2 is another'


def test_a_folder_that_is_of_an_image_and_of_images_is_refused(read):
    with pytest.raises(ValueError, match='d/1.png could be a mask of any of d/1.jpg, d.jpg'):
        read(['d/1'], ['d.jpg', 'd/1.jpg'])


def test_masks_and_images_in_one_folder(read, tmp_path):
    images = ['a.jpg', 'b.png', 'street.png', 'street_2.png', 'plain.png']
    both = tmp_path / 'own' / 'masks'
    read(['a_1', 'a_2', 'a', 'b_1', 'street_2/1', 'b/1'], images)
    for name in images:
        (tmp_path / 'own' / 'images' / name).rename(both / name)
    (both / 'a_2.txt').unlink()
    content = convert('masks', both, both)
    assert images_of(content) == {
        'a_1': 'a.jpg', 'a': 'a.jpg', 'b_1': 'b.png', 'street_2/1': 'street_2.png', 'b/1': 'b.png'}
    assert content.left_out.counts == {'mask without a sentence': 1}


def test_images_below_the_folder_of_the_masks_are_no_masks(read, tmp_path):
    read(['a_1'], ['a.jpg', 'b.png'])
    (tmp_path / 'own' / 'images').rename(tmp_path / 'own' / 'masks' / 'images')
    content = convert('masks', tmp_path / 'own' / 'masks', tmp_path / 'own' / 'masks' / 'images')
    assert images_of(content) == {'a_1': 'a.jpg'} and not content.left_out.counts


def test_masks_of_other_formats_and_texts_alone_are_told(read, tmp_path):
    read(['a'])
    masks = tmp_path / 'own' / 'masks'
    Image.new('L', (6, 4)).save(masks / 'b_1.JPG')
    (masks / 'b_1.txt').write_text('one')
    (masks / 'b_2.txt').write_text('two')
    content = convert('masks', masks, tmp_path / 'own' / 'images')
    assert content.left_out.counts == {'mask that is not PNG': 1, 'text without a mask': 1}
    told = ' '.join(content.left_out.lines('left out'))
    assert 'b_1.JPG is not a PNG file. Formats such as JPEG change the values of masks: save it as PNG.' in told
    assert 'b_2.txt has no mask b_2.png beside it.' in told
    (masks / 'a.png').unlink()
    with pytest.raises(ValueError, match='has no mask with a sentence .*b_1.JPG is not a PNG file'):
        convert('masks', masks, tmp_path / 'own' / 'images')


def test_folders_of_masks_by_image_are_recognised(read, tmp_path):
    read(['a/1', 'b/1'])
    masks = tmp_path / 'own' / 'masks'
    assert recognise(open_value(str(masks)), 'masks').name == 'masks'
    for text in masks.glob('*/*.txt'):
        text.unlink()
    with pytest.raises(ValueError, match='masks is a folder. Name a file in it'):
        recognise(open_value(str(masks)), 'masks')


def test_values_of_masks(read, tmp_path):
    read(['a'])
    Image.fromarray(np.resize(np.uint8([0, 1, 2, 3]), (4, 6))).save(tmp_path / 'own' / 'masks' / 'a.png')
    where = (tmp_path / 'own' / 'masks', tmp_path / 'own' / 'images')
    with pytest.raises(ValueError, match='a.png with the values 0, 1, 2, 3. Say what they mean: --mask-values binary'):
        convert('masks', *where)
    segmentation = convert('masks', *where, mask_values='binary').instances['annotations'][0]['segmentation']
    assert decode_segmentation(segmentation, 4, 6).sum() == 18
    with pytest.raises(ValueError, match="--mask-values is 'instances', but needs to be one of binary"):
        convert('masks', *where, mask_values='instances')


def test_broken_files_and_as_refs_file(read, tmp_path):
    read(['a'])
    masks, images = tmp_path / 'own' / 'masks', tmp_path / 'own' / 'images'
    with pytest.raises(ValueError, match='is a folder of PNG masks. .*mmris convert_dataset masks masks'):
        read_samples('train', masks, image_folder=images)
    with pytest.raises(ValueError, match='is not a folder. Name the folder of the masks'):
        convert('masks', masks / 'a.txt', images)
    (masks / 'a.txt').write_bytes(b'\xff\xfe\xff')
    with pytest.raises(ValueError, match='a.txt is not text in UTF-8 .*Save it as UTF-8'):
        convert('masks', masks, images)
    (masks / 'a.txt').write_text('one')
    (masks / 'a.png').write_bytes((masks / 'a.png').read_bytes()[:-30])
    with pytest.raises(ValueError, match='a.png, which is not a whole image'):
        convert('masks', masks, images)
