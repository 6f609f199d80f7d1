"""A set as Parquet files: read back by mmris, and by Hugging Face's ``datasets``."""

import json
import sys
from pathlib import Path

import pytest
from pyarrow import parquet

from mmris.datasets.problems import ProblemTally, raise_problem
from mmris.datasets.refer_files import read_refer_files
from mmris.datasets.referred_images import Reading
from mmris.datasets.writers import prepare_set, write_parquet
from tests.datasets.readers.parquet_forms import assert_whole, make_varied_set, to_corners
from tests.datasets.readers.shaperef_forms import SPLITS, ReferSet, assert_same_samples, read_samples


@pytest.fixture(scope='module')
def refer_folder(tmp_path_factory):
    return make_varied_set(tmp_path_factory.mktemp('set'))


def prepare(refer_folder, edit=lambda files: None):
    files = read_refer_files(str(refer_folder / 'instances.json'), str(refer_folder / 'refs(unc).p'))
    edit(files)
    return prepare_set(files, Reading(str(refer_folder / 'images'), 'sent', raise_problem, ProblemTally()))


def read_with_datasets(folder, tmp_path, monkeypatch):
    """What ``datasets.load_dataset`` gives, without a network."""
    for variable in ('HF_HOME', 'HF_DATASETS_CACHE'):
        monkeypatch.setenv(variable, str(tmp_path / 'cache'))
    for variable in ('HF_HUB_OFFLINE', 'HF_DATASETS_OFFLINE'):
        monkeypatch.setenv(variable, '1')
    # It reads these variables as it is imported.
    import datasets
    datasets.disable_progress_bars()
    return datasets.load_dataset(str(folder), cache_dir=str(tmp_path / 'cache'))


def test_it_reads_back_as_the_same_samples(refer_folder, tmp_path):
    written = write_parquet(prepare(refer_folder), tmp_path / 'set')
    assert [str(path.relative_to(tmp_path / 'set')) for path in written] == [
        *(f'data/{split}-00000-of-00001.parquet' for split in SPLITS), 'README.md']
    assert_same_samples(refer_folder, tmp_path / 'set', ann_file='none')
    assert_same_samples(refer_folder, tmp_path / 'set', splits=['testB'], ann_file='none', text_field='raw')
    assert_whole(tmp_path / 'set', refer_folder / 'images')


def test_skills_are_kept(refer_folder, tmp_path):
    write_parquet(prepare(refer_folder), tmp_path)
    found = read_refer_files('none', str(tmp_path), split='val')
    skills = [one['skills'] for ref in found.refs for one in ref['sentences']]
    assert all(skills)
    assert skills == [one['skills'] for ref in ReferSet(refer_folder).of_split('val') for one in ref['sentences']]


def test_datasets_reads_ids_sentences_masks_and_boxes(refer_folder, tmp_path, monkeypatch):
    write_parquet(prepare(refer_folder), tmp_path / 'set')
    found = read_with_datasets(tmp_path / 'set', tmp_path, monkeypatch)
    refer_set = ReferSet(refer_folder)
    assert list(found) == list(SPLITS)
    for split in SPLITS:
        rows, refs = list(found[split]), refer_set.of_split(split)
        assert len(rows) == len(refs) >= 3
        for row, ref in zip(rows, refs):
            annotation = refer_set.annotations[ref['ann_id']]
            assert {key: row[key] for key in ('ref_id', 'ann_id', 'image_id', 'sent_ids', 'split', 'category_id')} == \
                {key: ref[key] for key in ('ref_id', 'ann_id', 'image_id', 'sent_ids', 'split', 'category_id')}
            assert row['sentences'] == ref['sentences']
            assert json.loads(row['raw_anns'])['segmentation'] == annotation['segmentation']
            assert json.loads(row['raw_image_info']) == refer_set.images[ref['image_id']]
            assert row['bbox'] == to_corners(annotation['bbox'])
            assert row['captions'] == [one['sent'] for one in ref['sentences']]


def test_several_targets_or_none_make_lists_in_all_splits(refer_folder, tmp_path, monkeypatch):
    """Types have to be the same in all splits."""
    val = ReferSet(refer_folder).of_split('val')
    first = val[0]
    other = next(ref for ref in val[1:] if ref['image_id'] == first['image_id'])
    pair = [first['ann_id'], other['ann_id']]

    def edit(files):
        by_id = {ref['ref_id']: ref for ref in files.refs}
        by_id[first['ref_id']]['ann_id'] = pair
        # As gRefCOCO tells that nothing fits.
        by_id[other['ref_id']].update(ann_id=[])

    files = prepare(refer_folder, edit)
    write_parquet(files, tmp_path / 'set')
    rows = {row['ref_id']: row for row in read_with_datasets(tmp_path / 'set', tmp_path, monkeypatch)['val']}
    assert rows[first['ref_id']]['ann_id'] == pair
    assert [one['id'] for one in json.loads(rows[first['ref_id']]['raw_anns'])] == pair
    empty = rows[other['ref_id']]
    assert (empty['ann_id'], empty['category_id'], empty['raw_anns'], empty['bbox']) == ([], [], '[]', None)
    boxes = [to_corners(ReferSet(refer_folder).annotations[one]['bbox']) for one in pair]
    low, high = (list(map(choose, zip(*boxes))) for choose in (min, max))
    assert rows[first['ref_id']]['bbox'] == [*low[:2], *high[2:]]

    def read(refs_file, **settings):
        return read_samples('val', refs_file, image_folder=refer_folder / 'images', **settings)

    found = read_refer_files('none', str(tmp_path / 'set'))
    assert [ref['ann_id'] for ref in found.refs if ref['ref_id'] == first['ref_id']] == [pair]
    before = read(refer_folder / 'refs(unc).p', ann_file=refer_folder / 'instances.json')
    after = read(tmp_path / 'set', ann_file='none')
    # Other images are as they were; sentences of this one point elsewhere.
    changed = [name for name in before if before[name] != after[name]]
    assert changed == [ReferSet(refer_folder).images[first['image_id']]['file_name']]
    assert before[changed[0]].total() == after[changed[0]].total()


def test_compressed_counts_of_bytes_and_lists_of_rle_survive(refer_folder, tmp_path):
    refer_set = ReferSet(refer_folder)
    rle = next(ref for ref in refer_set.of_split('val')
               if isinstance(refer_set.annotations[ref['ann_id']]['segmentation'], dict))
    polygons = next(ref for ref in refer_set.of_split('val') if ref['ann_id'] != rle['ann_id'])

    def edit(files):
        entry = files.annotations.whole[rle['ann_id']]
        entry['segmentation'] = [dict(entry['segmentation'], counts=entry['segmentation']['counts'].encode())]
        entry = files.annotations.whole[polygons['ann_id']]
        entry['segmentation'] = [*entry['segmentation'], *entry['segmentation']]

    write_parquet(prepare(refer_folder, edit), tmp_path)
    assert_same_samples(refer_folder, tmp_path, splits=['val'], ann_file='none')


def test_splits_of_any_name_are_written_and_read(refer_folder, tmp_path, monkeypatch):
    """Hugging Face takes letters, digits and underscores; rows keep the name."""
    names = dict(train='mini-train', val='val_refcoco_unc', testA='testAB', testB='own')

    def edit(files):
        for ref in files.refs:
            ref['split'] = names[ref['split']]

    write_parquet(prepare(refer_folder, edit), tmp_path / 'set')
    found = read_with_datasets(tmp_path / 'set', tmp_path, monkeypatch)
    assert sorted(found) == ['mini_train', 'own', 'testAB', 'val_refcoco_unc']
    assert set(found['mini_train']['split']) == {'mini-train'}
    for split, name in (('train', 'mini-train'), ('val', 'val_refcoco_unc')):
        wanted = read_samples(split, 'refs(unc).p', image_folder='images', data_root=refer_folder)
        assert read_samples(name, tmp_path / 'set', image_folder=refer_folder / 'images', ann_file='none') == wanted


def test_splits_of_one_file_name_are_refused(refer_folder, tmp_path):

    def edit(files):
        for number, ref in enumerate(files.refs):
            ref['split'] = ('a-b', 'a_b')[number % 2]

    with pytest.raises(ValueError, match="the splits 'a-b' and 'a_b' would both be written to data/a_b-00000-of-"
                       '00001.parquet. Rename one of them'):
        write_parquet(prepare(refer_folder, edit), tmp_path)


def test_text_that_is_no_whole_character_is_written(refer_folder, tmp_path):

    def edit(files):
        ref = next(ref for ref in files.refs if ref['split'] == 'val')
        ref['sentences'][0].update(raw='left \ud83d', sent='left \ud83d', tokens=['left', '\ud83d'])

    write_parquet(prepare(refer_folder, edit), tmp_path)
    row = parquet.read_table(tmp_path / 'data' / 'val-00000-of-00001.parquet').to_pylist()[0]
    assert row['sentences'][0]['sent'] == 'left \ufffd'


def test_the_card_counts_refs_and_sentences(refer_folder, tmp_path):
    card = write_parquet(prepare(refer_folder), tmp_path)[-1].read_text()
    refs = ReferSet(refer_folder).of_split('val')
    assert f'| val | {len(refs)} | {sum(len(ref["sentences"]) for ref in refs)} |' in card


def test_without_pyarrow_the_message_tells_how_to_get_it(refer_folder, tmp_path: Path, monkeypatch):
    files = prepare(refer_folder)
    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    with pytest.raises(
            ImportError, match=r'written by pyarrow\. Install it: pip install "mmris\[maintained,parquet\]"\.'):
        write_parquet(files, tmp_path)
