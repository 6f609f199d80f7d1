"""The command that writes a set in another form, and what other projects' readers make of it."""

import json
import pickle
import shutil

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from tests.conftest import ROOT, run_command
from tests.datasets.readers.own_exports import write_csv
from tests.datasets.readers.shaperef_forms import SPLITS, ReferSet, assert_same_samples, make_shaperef, read_samples

TOOL = ROOT / 'tools/dataset_converters/convert_dataset.py'


def convert(*arguments):
    """Run the command in this process; its exit status."""
    return run_command('convert_dataset', *arguments)


@pytest.fixture(scope='module')
def refer_folder(tmp_path_factory):
    return make_shaperef(tmp_path_factory.mktemp('set'))


@pytest.fixture
def changed(refer_folder, tmp_path):
    """Write refs and instances of the set, changed by functions, to a folder; the folder."""

    def write(change_refs=lambda refs: None, change_instances=lambda instances: None):
        refs = ReferSet(refer_folder).refs
        instances = json.loads((refer_folder / 'instances.json').read_text())
        change_refs(refs)
        change_instances(instances)
        folder = tmp_path / 'changed'
        folder.mkdir()
        (folder / 'refs(unc).p').write_bytes(pickle.dumps(refs, protocol=2))
        (folder / 'instances.json').write_text(json.dumps(instances))
        return folder

    return write


def test_refer_files_come_back(refer_folder, tmp_path, capsys):
    out = tmp_path / 'out'
    status = convert('auto', refer_folder / 'refs(unc).p', '--images', refer_folder / 'images', '--by', 'unc',
                     '--out', out)
    printed = capsys.readouterr().out
    assert status == 0 and 'Nothing was left out.' in printed and 'All is well.' in printed
    assert_same_samples(refer_folder, out / 'refs(unc).p', ann_file=out / 'instances.json')
    before, after = ReferSet(refer_folder), ReferSet(out)
    keys = ('ref_id', 'ann_id', 'image_id', 'category_id', 'split')
    assert [{key: ref[key] for key in keys} for ref in after.refs] == \
        [{key: ref[key] for key in keys} for ref in before.refs]
    assert [[one['sent'] for one in ref['sentences']] for ref in after.refs] == \
        [[one['sent'] for one in ref['sentences']] for ref in before.refs]


def read_as_refer_does(folder):
    """Masks by (ref id, sentence), as the original reader and its copies compute them."""
    refs = pickle.loads((folder / 'refs(own).p').read_bytes())
    instances = json.loads((folder / 'instances.json').read_text())
    images = {one['id']: one for one in instances['images']}
    annotations = {one['id']: one for one in instances['annotations']}
    categories = {one['id']: one['name'] for one in instances['categories']}
    found = {}
    for ref in refs:
        annotation, image = annotations[ref['ann_id']], images[ref['image_id']]
        assert categories[ref['category_id']] and len(annotation['bbox']) == 4
        if isinstance(annotation['segmentation'][0], list):
            rle = coco_mask.frPyObjects(annotation['segmentation'], image['height'], image['width'])
        else:
            rle = annotation['segmentation']
        mask = (coco_mask.decode(rle).sum(axis=2) > 0).astype(np.uint8)
        for sentence in ref['sentences']:
            assert sentence['tokens'] == sentence['sent'].split()
            found[ref['ref_id'], sentence['sent_id']] = (image['file_name'], sentence['sent'], mask.tobytes())
    return found


def test_the_original_reader_reads_what_is_written(refer_folder, changed, tmp_path):
    """Also a mask of one RLE, with counts as numbers, which that reader takes in a list alone."""

    def to_rle(instances):
        sizes = {one['id']: (one['height'], one['width']) for one in instances['images']}
        for annotation in instances['annotations'][::2]:
            height, width = sizes[annotation['image_id']]
            part = annotation['segmentation']
            rle = coco_mask.merge(coco_mask.frPyObjects(part, height, width)) if isinstance(part, list) else part
            annotation['segmentation'] = dict(size=[height, width], counts=rle['counts'].decode() if isinstance(
                rle['counts'], bytes) else rle['counts'])

    folder = changed(change_instances=to_rle)
    convert('refer', folder / 'refs(unc).p', '--out', tmp_path / 'out')
    found = read_as_refer_does(tmp_path / 'out')
    before = ReferSet(refer_folder)
    assert len(found) == sum(len(ref['sentences']) for ref in before.refs) > 20
    for split in SPLITS:
        wanted = read_samples(split, 'refs(unc).p', image_folder='images', data_root=refer_folder)
        names = {name for name, _, _ in found.values()}
        assert set(wanted) <= names
    for ref in before.refs:
        image, annotation = before.images[ref['image_id']], before.annotations[ref['ann_id']]
        part = annotation['segmentation']
        rle = coco_mask.merge(coco_mask.frPyObjects(part, image['height'], image['width'])) \
            if isinstance(part, list) else part
        for sentence in ref['sentences']:
            name, text, mask = found[ref['ref_id'], sentence['sent_id']]
            assert (name, text) == (image['file_name'], sentence['sent'])
            assert mask == coco_mask.decode(rle).tobytes()


def test_coco_tools_read_what_is_written(refer_folder, tmp_path, capsys):
    assert convert('refer', refer_folder / 'refs(unc).p', '--to', 'coco', '--out', tmp_path / 'out') == 0
    before = ReferSet(refer_folder)
    for split in SPLITS:
        coco = COCO(str(tmp_path / 'out' / f'{split}.json'))
        found = set()
        for annotation in coco.anns.values():
            mask = coco.annToMask(annotation)
            assert mask.sum() == annotation['area'] and coco.loadCats(annotation['category_id'])
            name = coco.imgs[annotation['image_id']]['file_name']
            found |= {(name, text, int(mask.sum())) for text in annotation['sentences']}
        wanted = {(before.images[ref['image_id']]['file_name'], sentence['raw'],
                   before.annotations[ref['ann_id']]['area'])
                  for ref in before.of_split(split) for sentence in ref['sentences']}
        assert found == wanted and len(found) > 5


def test_several_and_no_targets(refer_folder, changed, tmp_path, capsys):
    """Both stay in REFER files, as gRefCOCO writes them; COCO's annotations have no place for none."""
    several, none = {}, {}

    def change(refs):
        by_image = {}
        for ref in refs:
            by_image.setdefault(ref['image_id'], []).append(ref)
        one, other = next(group for group in by_image.values() if len(group) > 1)[:2]
        one['ann_id'] = [one['ann_id'], other['ann_id']]
        several.update(one)
        refs[-1].update(ann_id=[-1], no_target=True)
        none.update(refs[-1])

    folder = changed(change)
    convert('refer', folder / 'refs(unc).p', '--images', refer_folder / 'images', '--out', tmp_path / 'out')
    assert 'Nothing was left out.' in capsys.readouterr().out
    refs = {ref['ref_id']: ref for ref in pickle.loads((tmp_path / 'out/refs(own).p').read_bytes())}
    assert refs[several['ref_id']]['ann_id'] == several['ann_id']
    assert refs[none['ref_id']]['ann_id'] == [-1] and refs[none['ref_id']]['no_target'] is True
    assert convert('refer', folder / 'refs(unc).p', '--to', 'coco', '--out', tmp_path / 'coco') == 0
    assert f'1 left out: no target; the first: Ref {none["ref_id"]} has no target' in capsys.readouterr().out
    coco = COCO(str(tmp_path / 'coco' / f'{several["split"]}.json'))
    annotations = ReferSet(refer_folder).annotations
    united = [one for one in coco.anns.values() if several['sentences'][0]['raw'] in one['sentences']
              and one['image_id'] == several['image_id']]
    # Objects of ShapeRef do not overlap.
    assert max(one['area'] for one in united) == sum(annotations[one]['area'] for one in several['ann_id'])


def test_what_is_broken_is_left_out_and_reported(refer_folder, changed, tmp_path, capsys):

    def break_refs(refs):
        refs[0]['ann_id'] = 10**9
        refs[1]['sentences'] = [dict(one, sent='', raw='') for one in refs[1]['sentences']]
        del refs[2]['image_id']

    folder = changed(break_refs)
    before = ReferSet(folder)
    convert('refer', folder / 'refs(unc).p', '--out', tmp_path / 'out')
    printed = capsys.readouterr().out
    assert '1 left out: missing annotation; the first:' in printed and 'points to annotation 1000000000' in printed
    assert 'left out: empty sentence; the first:' in printed
    assert '1 left out: malformed entry; the first:' in printed and 'ref at position 2 lacks image_id.' in printed
    assert len(refs_of(tmp_path / 'out')) == len(before.refs) - 3


def refs_of(folder):
    return pickle.loads((folder / 'refs(own).p').read_bytes())


def test_text_ids_become_numbers(refer_folder, changed, tmp_path):

    def to_text(refs):
        for number, ref in enumerate(refs):
            ref.update(ref_id=f'ref-{number}', sentences=[dict(one, sent_id=f's{one["sent_id"]}') for one in
                                                          ref['sentences']])

    folder = changed(to_text)
    convert('refer', folder / 'refs(unc).p', '--by', 'unc', '--out', tmp_path / 'out')
    refs = ReferSet(tmp_path / 'out').refs
    assert [ref['ref_id'] for ref in refs] == list(range(1, len(refs) + 1))
    ids = [one['sent_id'] for ref in refs for one in ref['sentences']]
    assert ids == list(range(1, len(ids) + 1))
    assert_same_samples(refer_folder, tmp_path / 'out/refs(unc).p', ann_file=tmp_path / 'out/instances.json')


def test_images_come_along(refer_folder, changed, tmp_path, capsys):
    """Then the new set needs nothing else."""
    status = convert('refer', refer_folder / 'refs(unc).p', '--images', refer_folder / 'images', '--copy-images',
                     '--by', 'unc', '--out', tmp_path / 'out')
    assert status == 0 and '--image-folder images' in capsys.readouterr().out
    assert_same_samples(refer_folder, tmp_path / 'out/refs(unc).p', ann_file=tmp_path / 'out/instances.json',
                        image_folder=tmp_path / 'out/images')
    for path in (tmp_path / 'out/images').iterdir():
        assert path.read_bytes() == (refer_folder / 'images' / path.name).read_bytes()

    def lead_out(instances):
        for image in instances['images']:
            image['file_name'] = f'../../{refer_folder.name}/images/{image["file_name"]}'

    folder = changed(change_instances=lead_out)
    with pytest.raises(ValueError, match='leads out of the folder of the images, so it is not copied. Leave out'):
        convert('refer', folder / 'refs(unc).p', '--images', refer_folder / 'images', '--copy-images', '--out',
                tmp_path / 'other')
    assert not (tmp_path / 'other').exists()


def test_a_photo_in_two_splits_is_noted(refer_folder, tmp_path, capsys):
    """The splits of a CSV are kept as they are, even if one photo was saved twice."""
    table = write_csv(ReferSet(refer_folder), tmp_path / 'own')
    images = tmp_path / 'photos'
    shutil.copytree(refer_folder / 'images', images)
    header, *rows = table.read_text().splitlines()
    row = next(row for row in rows if row.endswith('train'))
    name = row.split(',')[0]
    shutil.copy(images / name, images / 'again.png')
    table.write_text('\n'.join([header, *rows, row.replace(name, 'again.png')[:-len('train')] + 'val']))
    assert convert('csv', table, '--images', images, '--out', tmp_path / 'out') == 0
    printed = capsys.readouterr().out
    such = f'{images / name} and its copy {images / "again.png"}'
    assert f'1 images are in both train and val, such as {such}.' in printed


def test_a_set_is_replaced(refer_folder, tmp_path):
    for _ in range(2):
        convert('refer', refer_folder / 'refs(unc).p', '--overwrite', '--out', tmp_path / 'out')
    with pytest.raises(FileExistsError, match='out is there already. Name another folder with --out, or replace'):
        convert('refer', refer_folder / 'refs(unc).p', '--out', tmp_path / 'out')


def test_photographs_are_never_replaced(refer_folder, tmp_path):
    """A folder that looks like what is written, a set to which something was added, and masks that are read."""
    own = tmp_path / 'own'
    (own / 'images').mkdir(parents=True)
    (own / 'images/photo.jpg').write_bytes(b'mine')
    (own / 'instances.json').write_text('{}')
    with pytest.raises(FileExistsError, match='own is not replaced: images/photo.jpg in it was not written'):
        convert('refer', refer_folder / 'refs(unc).p', '--overwrite', '--out', own)
    out = tmp_path / 'out'
    arguments = ('refer', refer_folder / 'refs(unc).p', '--images', refer_folder / 'images', '--copy-images',
                 '--overwrite', '--out', out)
    convert(*arguments)
    convert(*arguments)
    (out / 'images/another.jpg').write_bytes(b'mine')
    with pytest.raises(FileExistsError, match='out is not replaced: images/another.jpg in it was not written'):
        convert(*arguments)
    (out / 'images/another.jpg').unlink()
    with pytest.raises(FileExistsError, match='is not replaced: .*images is in it'):
        convert('csv', tmp_path / 'x.csv', '--mask-folder', out / 'images', '--overwrite', '--out', out)
    assert (own / 'images/photo.jpg').read_bytes() == b'mine' and len(list((out / 'images').iterdir())) == 16


@pytest.mark.parametrize('options, error, message', [
    (['--images', 'nowhere'], FileNotFoundError, r'There is no folder nowhere \(--images\)'),
    (['--by', 'a/b'], ValueError, "--by is 'a/b', but a name of letters, digits"),
    (['--by', ''], ValueError, "--by is '', but a name"),
    (['--images', 'images', '--out', 'images/set'], ValueError, 'images/set is inside of --images images'),
    (['--out', '.'], ValueError, '--out is the folder that you are in'),
])
def test_options_are_checked_before_the_work(refer_folder, monkeypatch, options, error, message):
    monkeypatch.chdir(refer_folder)
    with pytest.raises(error, match=message):
        convert('refer', 'refs(unc).p', *([] if '--out' in options else ['--out', 'new']), *options)


def test_mistakes_are_named(refer_folder, tmp_path):
    refs = refer_folder / 'refs(unc).p'
    (tmp_path / 'taken').mkdir()
    (tmp_path / 'taken/notes.txt').write_text('mine')
    with pytest.raises(FileExistsError, match='taken is there already. Name another folder with --out, or replace'):
        convert('refer', refs, '--out', tmp_path / 'taken')
    with pytest.raises(FileExistsError, match='taken is not replaced: notes.txt in it was not written by convert_'):
        convert('refer', refs, '--overwrite', '--out', tmp_path / 'taken')
    with pytest.raises(FileExistsError, match=r'is not replaced: .*refs\(unc\).p is in it. Name another folder'):
        convert('refer', refs, '--overwrite', '--out', refer_folder)
    with pytest.raises(ValueError, match="There is no form 'refr'. Did you mean refer"):
        convert('refr', refs, '--out', tmp_path / 'out')
    for name in ('coco', 'COCO'):
        with pytest.raises(ValueError, match='Did you mean coco-sentences. Forms: auto .as recognised by the files.'):
            convert(name, refs, '--out', tmp_path / 'out')
    with pytest.raises(ValueError, match="There is no form ''. Forms: auto"):
        convert('', refs, '--out', tmp_path / 'out')
    with pytest.raises(ValueError, match='The form refer does not take --val-share. It takes none of these'):
        convert('refer', refs, '--val-share', '0.2', '--out', tmp_path / 'out')
    with pytest.raises(ValueError, match='--copy-images needs --images, the folder of the images'):
        convert('refer', refs, '--copy-images', '--out', tmp_path / 'out')
    with pytest.raises(FileNotFoundError, match='nowhere.p is missing'):
        convert('refer', tmp_path / 'nowhere.p', '--out', tmp_path / 'out')
    with pytest.raises(FileNotFoundError, match=r'There is no file .*elsewhere.json \(--instances\)'):
        convert('refer', refs, '--instances', tmp_path / 'elsewhere.json', '--out', tmp_path / 'out')
    assert (tmp_path / 'taken/notes.txt').read_text() == 'mine' and not (tmp_path / 'out').exists()
