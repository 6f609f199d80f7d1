"""The tools that check and measure data."""

import json
import pickle
import re
import subprocess
import sys

import pytest
import torch
from mmengine.config import ConfigDict

from mmris.commands import benchmark_index, benchmark_samples
from mmris.datasets import published_counts
from mmris.datasets.published_counts import Counts, PublishedSet
from mmris.datasets.random_set import write_random_set
from mmris.datasets.set_check import check_set
from mmris.registry import DATASETS, MODELS
from mmris.utils.configs import read_config
from mmris.utils.steps import load_batch, measure_training
from mmris.utils.tool import run_tool
from tests.conftest import ROOT, read_arguments, run_command, run_python, tiny_config, write_set

CONFIG = 'configs/cm_masksd/vit-tiny_shaperef.py'
TOOLS = ROOT / 'tools' / 'analysis_tools'


@pytest.fixture
def check(capsys, monkeypatch):
    """Run check_dataset.py; its exit status and its output."""
    monkeypatch.delenv('MMRIS_DEBUG')

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            run_tool(lambda: run_command('check_dataset', *arguments))
            sys.exit(0)
        return ended.value.code, capsys.readouterr()

    return run


class TestCheckDataset:

    def test_a_set_without_fault(self, check, refer_set, tmp_path):
        out = tmp_path / 'report.json'
        status, output = check('--data-root', refer_set, '--refs-file', 'refs(unc).p', '--decode', '--out', out)
        assert status == 0 and output.out.endswith('All is well.\n')
        assert re.search(r'\| val +\| +15 \| +15 \| +5 \| +5 \| not published \|', output.out)
        # The bar of progress stays out of what a file or a pipe would get.
        assert '5/5' in output.err and '5/5' not in output.out
        report = json.loads(out.read_text())
        assert report['is_fine'] and report['problems'] == [] and report['decoded']
        assert report['splits']['val']['counts'] == dict(refs=15, sentences=15, images=5)

    @pytest.mark.parametrize('name', ['grefs(unc).json', 'Ref-ZOM(final).p', 'refs(final).p', 'grefs(unc).p'])
    def test_the_only_refs_file_is_found(self, check, refer_set, name):
        refs = pickle.loads((refer_set / 'refs(unc).p').read_bytes())
        (refer_set / 'refs(unc).p').unlink()
        (refer_set / name).write_bytes(json.dumps(refs).encode() if name.endswith('json') else pickle.dumps(refs))
        status, output = check('--data-root', refer_set)
        assert status == 0 and str(refer_set / name) in output.out
        (refer_set / 'other(1).pkl').write_bytes(b'')
        status, output = check('--data-root', refer_set)
        assert status == 2 and 'other(1).pkl' in output.err and name in output.err

    def test_broken_entries_by_process(self, refer_set, tmp_path):
        """As users run it: the exit status is the process's."""
        for number in (1, 3):
            (refer_set / 'images' / f'COCO_train2014_{number:012d}.jpg').unlink()
        out = tmp_path / 'report.json'
        done = subprocess.run(
            [sys.executable, TOOLS / 'check_dataset.py', '--data-root', refer_set, '--out', out],
            cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 1, done.stderr
        assert 'missing image file: 2' in done.stdout and 'Broken entries: 2.' in done.stdout
        problems = json.loads(out.read_text())['problems']
        assert [one['kind'] for one in problems] == ['missing image file'] * 2
        assert all(one['message'] in done.stdout for one in problems)

    def test_published_counts(self, check, refer_set, monkeypatch):
        mini = PublishedSet('Mini (unc)', 'set', 'unc', dict(val=Counts(15, 15, 5)))
        monkeypatch.setitem(published_counts.PUBLISHED_SETS, 'mini', mini)
        status, output = check('--data-root', refer_set)
        assert status == 0 and 'counts against Mini (unc)' in output.out and ' equal |' in output.out
        monkeypatch.setitem(published_counts.PUBLISHED_SETS, 'mini', PublishedSet(
            'Mini (unc)', 'set', 'unc', dict(val=Counts(16, 15, 5))))
        status, output = check('--data-root', refer_set)
        assert status == 1 and '15 (published 16)' in output.out and 'counts of val differ' in output.out
        assert check('--data-root', refer_set, '--set', 'none')[0] == 0
        status, output = check('--data-root', refer_set, '--set', 'refcoco+_unc')
        assert status == 1 and '15 (published 3,805)' in output.out and '0 (published 120,191)' in output.out

    def test_by_a_config(self, check, refer_set):
        status, output = check(ROOT / CONFIG, '--data-root', refer_set)
        assert status == 0 and str(refer_set / 'images') in output.out
        status, output = check(ROOT / CONFIG, '--data-root', refer_set, '--image-folder', 'photos')
        assert status == 1 and f'None of the 5 image files is in {refer_set / "photos"}' in output.out

    def test_instance_masks_of_a_config(self, check, refer_set):
        config = ROOT / 'configs/mail/tiny_shaperef.py'
        status, output = check(config, '--data-root', refer_set)
        assert status == 0 and 'Note: 15 instance masks with a score of at least 0.3' in output.out
        assert 'instance masks' not in check('--data-root', refer_set)[1].out
        (refer_set / 'instance_masks.json').write_text('[]')
        status, output = check(config, '--data-root', refer_set)
        assert status == 1 and '5 of 5 images have no result.' in output.out
        skip = '--cfg-options', 'train_dataloader.dataset.instance_masks.problems=skip'
        status, output = check(config, '--data-root', refer_set, *skip)
        assert status == 0 and '5 skipped: image without results; the first: ' in output.out
        (refer_set / 'instance_masks.json').rename(refer_set / 'found.json')
        for options in ((), skip):
            status, output = check(config, '--data-root', refer_set, *options)
            assert status == 1 and 'unreadable instance masks: 1' in output.out and '| val ' in output.out
            assert 'instance_masks.json (instance masks: a COCO results file) is missing' in output.out
        status, output = check(config, '--data-root', refer_set, '--cfg-options',
                               'train_dataloader.dataset.instance_masks.file=found.json')
        assert status == 1 and '5 of 5 images have no result.' in output.out

    def test_a_config_that_takes_instance_masks_back(self, check, refer_set):
        config, loader = ROOT / 'configs/mail/tiny_shaperef.py', 'train_dataloader.dataset'
        status, output = check(config, '--data-root', refer_set, '--cfg-options', f'{loader}.instance_masks=None')
        assert status == 0 and 'instance masks' not in output.out
        status, output = check(config, '--data-root', refer_set, '--cfg-options', f'{loader}.instance_masks.file=None')
        assert status == 2 and 'instance_masks must name a COCO results file' in output.err
        status, output = check('--data-root', refer_set, '--cfg-options', 'seed=1')
        assert status == 2 and output.err == '--cfg-options changes a config: name one.\n'

    def test_images_beside_the_set(self, check, tmp_path):
        """Laid out as the documentation says."""
        write_set(tmp_path / 'refcoco')
        (tmp_path / 'coco').mkdir()
        (tmp_path / 'refcoco' / 'images').rename(tmp_path / 'coco' / 'train2014')
        status, output = check('--data-root', tmp_path / 'refcoco', '--set', 'none')
        assert status == 0 and str(tmp_path / 'coco' / 'train2014') in output.out

    @pytest.mark.parametrize('content, message', [
        (None, r'refs\(unc\).p \(the referring expressions\) is missing'),
        (b'\x80\x02]q\x00(}q', r'refs\(unc\).p is not a whole pickle .* Fetch it again'),
        (b'\x80\x02}q\x00.', r'refs\(unc\).p holds a dict, but a refs file is a list of refs'),
    ])
    def test_files_that_cannot_be_read(self, check, refer_set, content, message):
        path = refer_set / 'refs(unc).p'
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        status, output = check('--data-root', refer_set, '--refs-file', 'refs(unc).p')
        assert status == 2 and re.fullmatch(f'.*{message}.*\n', output.err) and not output.out

    @pytest.mark.parametrize('content, message', [
        ('{"images": [', 'instances.json is not a whole JSON file'),
        ('{"images": []}', 'instances.json is not a COCO annotation file: it needs lists of'),
        ('[]', 'instances.json is not a COCO annotation file'),
    ])
    def test_annotations_that_cannot_be_read(self, check, refer_set, content, message):
        (refer_set / 'instances.json').write_text(content)
        status, output = check('--data-root', refer_set)
        assert status == 2 and message in output.err

    def test_a_set_that_is_not_named(self, check, refer_set, tmp_path):
        status, output = check()
        assert status == 2 and 'Name the set to check: --data-root data/refcoco, or a config.' in output.err
        status, output = check('--data-root', tmp_path / 'none')
        assert status == 2 and 'There is no folder' in output.err
        status, output = check('--data-root', tmp_path)
        assert status == 2 and 'which refs file of' in output.err and 'there are none' in output.err
        (refer_set / 'refs(google).p').write_bytes(b'')
        status, output = check('--data-root', refer_set)
        assert status == 2 and 'there are these: refs(google).p, refs(unc).p' in output.err

    def test_a_config_of_several_sets(self, check, tmp_path):
        path = tmp_path / 'config.py'
        path.write_text("train_dataloader = dict(dataset=dict(type='ConcatDataset', datasets=[]))")
        status, output = check(path)
        assert status == 2 and 'config.py is not of one refs file: name each by --data-root' in output.err


class TestRandomSet:

    SIZES = dict(images=7, objects=20, sentences=50, annotations=60)

    def test_it_is_a_whole_set(self, tmp_path):
        folder = write_random_set(tmp_path / 'random', pictures=True, **self.SIZES)
        report = check_set(
            instances_path=str(folder / 'instances.json'),
            refs_path=str(folder / 'refs(unc).p'),
            image_folder=str(folder / 'images'),
            decode=True)
        assert report.is_fine and report.splits['train'].counts == Counts(20, 50, 7)
        assert len(json.loads((folder / 'instances.json').read_text())['annotations']) == 60
        sizes = [path.stat().st_size for path in (folder / 'images').iterdir()]
        assert len(sizes) == 7 and all(100_000 < size < 250_000 for size in sizes)

    def test_pictures_may_repeat(self, tmp_path):
        folder = write_random_set(tmp_path / 'random', pictures=True, distinct_pictures=2, **self.SIZES)
        contents = [path.read_bytes() for path in sorted((folder / 'images').iterdir())]
        assert len(contents) == 7 and contents[:2] * 3 + contents[:1] == contents and contents[0] != contents[1]

    def test_outlines_are_as_long_as_cocos(self, tmp_path):
        folder = write_random_set(
            tmp_path / 'random', pictures=False, images=5, objects=5, sentences=5, annotations=2000)
        annotations = json.loads((folder / 'instances.json').read_text())['annotations']
        corners = [len(polygon) / 2 for annotation in annotations for polygon in annotation['segmentation']]
        assert 24 < sum(corners) / len(corners) < 28 and max(corners) > 80
        assert 1.1 < len(corners) / len(annotations) < 1.2

    def test_a_seed_gives_the_same_files(self, tmp_path):
        one, same, other = (write_random_set(tmp_path / name, pictures=False, seed=seed, **self.SIZES)
                            for name, seed in (('one', 3), ('same', 3), ('other', 4)))
        for name in ('instances.json', 'refs(unc).p'):
            assert (one / name).read_bytes() == (same / name).read_bytes() != (other / name).read_bytes()

    @pytest.mark.parametrize('sizes', [dict(images=0), dict(sentences=19), dict(annotations=19), dict(objects=0)])
    def test_sizes_that_are_none(self, tmp_path, sizes):
        with pytest.raises(ValueError, match='A random set has at least one image'):
            write_random_set(tmp_path / 'random', pictures=False, **{**self.SIZES, **sizes})


class TestBenchmarkIndex:

    OPTIONS = ['--objects', '3000', '--sentences', '9000', '--images', '800', '--annotations', '5000']

    def test_workers_share_the_index(self, tmp_path):
        """Reading all samples, a worker gains next to nothing; had it Python objects, a copy of them."""
        out = tmp_path / 'index.json'
        # In a process of its own: what a long one has freed here and there, its children fill and call their gain.
        tool = ROOT / 'tools' / 'analysis_tools' / 'benchmark_index.py'
        output = run_python(tool, *self.OPTIONS, '--workers', '0', '2', '--out', out)
        results = json.loads(out.read_text())
        shared, objects = results['shared'], results['objects']
        assert shared['samples'] == 3000 and shared['index'] > 2
        # A worker of its own gains one or two MiB whatever it reads; copies would be several times the index.
        assert len(shared['workers']['2']) == 2 and max(shared['workers']['2']) < min(objects['workers']['2']) / 3
        assert min(objects['workers']['2']) > 3 * shared['index']
        assert '3,000 objects, 9,000 sentences' in output
        assert re.search(r'holds \d\.\d+ of the index for itself', output)

    def test_each_worker_reads_each_sample(self):
        dealt = list(benchmark_index.batches(1234, 3))
        for worker in range(3):
            own = [index for batch in dealt[worker::3] for index in batch]
            assert own == [benchmark_index.MEASURE, *range(1234), benchmark_index.MEASURE]

    def test_a_folder_of_another_size(self, tmp_path):
        small = ['--folder', str(tmp_path / 'set'), '--objects', '2', '--sentences', '2', '--annotations', '2']
        benchmark_index.make_set(read_arguments('benchmark_index', *small, '--images', '1'), tmp_path / 'set')
        with pytest.raises(ValueError, match='holds a set of other sizes .* Name another --folder'):
            benchmark_index.make_set(read_arguments('benchmark_index', *small, '--images', '2'), tmp_path / 'set')


class TestBenchmarkSamples:

    def test_steps_and_ratio(self, tmp_path, capsys):
        out = tmp_path / 'samples.json'
        run_command('benchmark_samples', ROOT / CONFIG, '--samples', 4, '--repetitions', 3, '--out', out)
        results = json.loads(out.read_text())
        seconds = results['seconds']
        steps = ['LoadImage', 'LoadMasks', 'Letterbox', 'Tokenize', 'PackReferringInputs']
        assert set(seconds) == {benchmark_samples.BARE, benchmark_samples.WHOLE, benchmark_samples.REST, *steps}
        for repetition in range(3):
            parts = sum(seconds[name][repetition] for name in (benchmark_samples.REST, *steps))
            assert parts == pytest.approx(seconds[benchmark_samples.WHOLE][repetition])
            ratio = seconds[benchmark_samples.WHOLE][repetition] / seconds[benchmark_samples.BARE][repetition]
            assert ratio == pytest.approx(results['ratio'][repetition])
        assert 'times a bare decode and resize' in capsys.readouterr().out

    def test_instance_masks_that_a_config_takes_back(self, tmp_path):
        for masks, expected in ((None, None), (dict(file='elsewhere.json'), dict(file='instance_masks.json'))):
            settings = ConfigDict(instance_masks=masks)
            benchmark_samples.use_random_set(settings, tmp_path, images=2)
            assert settings.instance_masks == expected

    def test_a_set_on_disk(self, refer_set, capsys):
        run_command('benchmark_samples', ROOT / CONFIG, '--data-root', refer_set, '--split', 'val', '--samples', 2,
                    '--repetitions', 1)
        assert 'LoadMasks' in capsys.readouterr().out

    def test_the_measured_pipeline_gives_the_same_samples(self, refer_set):
        settings = dict(
            type='RefCOCODataset', split='val', refs_file='refs(unc).p', data_root=str(refer_set),
            pipeline=[dict(type='LoadImage'), dict(type='LoadMasks')])
        plain, measured = DATASETS.build(settings), DATASETS.build(settings)
        seconds = {}
        measured.pipeline.transforms = [benchmark_samples.timed(one, seconds) for one in measured.pipeline.transforms]
        assert (plain[0]['img'] == measured[0]['img']).all() and set(seconds) == {'LoadImage', 'LoadMasks'}


class TestBenchmarkSteps:

    def test_numbers(self, tmp_path, capsys):
        out = tmp_path / 'steps.json'
        run_command('benchmark_steps', ROOT / CONFIG, '--batch-size', 2, '--steps', 3, '--out', out)
        results = json.loads(out.read_text())
        # All sentences of an image in an evaluation, four of them in training.
        assert (results['training']['expressions'], results['evaluation']['expressions']) == (8, 14)
        for one in (results['training'], results['evaluation']):
            assert one['images'] == 2 and one['images_per_second'] == pytest.approx(2 / one['seconds'])
            assert one['first_seconds'] > 0
            assert one['spread'][0] <= one['seconds'] <= one['spread'][1] and one['peak_mebibytes'] > 100
        assert 'vit-tiny_shaperef, float32, ' in capsys.readouterr().out

    def test_instance_masks_that_a_config_takes_back(self):
        options = read_arguments(
            'benchmark_steps', ROOT / CONFIG, '--batch-size', 1, '--cfg-options',
            'train_dataloader.dataset.instance_masks=None')
        batch = load_batch(read_config(options).train_dataloader, batch_size=1)
        assert 'instance_masks' not in batch['data_samples'][0]

    def test_sentences_without_their_vocabulary(self, tmp_path, monkeypatch, capsys):
        """EVF-SAM's, whose file is to be fetched, padded to the longest; and its two views."""
        monkeypatch.chdir(tmp_path)
        loader = tiny_config('evf_sam/vit-h_beit3-l_refcoco.py').train_dataloader
        batch = load_batch(loader, batch_size=2)
        assert 'data/beit3.spm is absent: made-up sentences are numbered by' in capsys.readouterr().out
        lengths = [sample.token_mask.sum(1).max() for sample in batch['data_samples']]
        assert lengths == [sample.token_ids.size(1) for sample in batch['data_samples']] and max(lengths) < 20
        assert [pixels.shape for pixels in batch['views']['joint']] == 2 * [(3, 224, 224)]
        # Which has a [MASK], so that branches that mask words run, too.
        assert all(sample.vocabulary.mask is not None for sample in batch['data_samples'])

    def test_a_measured_training_step_trains(self, refer_set):
        options = read_arguments('benchmark_steps', ROOT / CONFIG, '--batch-size', 2, '--steps', 1, '--data-root',
                                 refer_set, '--cfg-options', 'train_dataloader.dataset.split=val')
        config = read_config(options)
        model = MODELS.build(config.model)
        before = {name: value.clone() for name, value in model.named_parameters()}
        measure_training(model, config, load_batch(config.train_dataloader, 2, str(refer_set)), steps=1)
        assert not any(torch.equal(before[name], value) for name, value in model.named_parameters())

    def test_mixed_precision_without_a_gpu(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
        with pytest.raises(ValueError, match='--amp float16 needs a GPU'):
            run_command('benchmark_steps', ROOT / CONFIG, '--amp', 'float16')
