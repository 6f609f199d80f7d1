"""The tools that look into configs, logs and errors, as a user calls them (in this process: imports take seconds)."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import save_checkpoint
from PIL import Image

from mmris.apis import Predictor
from mmris.commands import browse_dataset
from mmris.datasets import ReferringSampler
from mmris.datasets.controls import split_settings
from mmris.datasets.pipelines import resolve_pipelines
from mmris.registry import DATASETS, MODELS
from tests.conftest import ROOT, edit_refs, tiny_config, write_set
from tests.datasets.refcoco_family import write_family
from tests.utils.test_training_log import score, step, write_start

CONFIG = 'configs/cm_masksd/vit-tiny_shaperef.py'
MAIL = 'configs/mail/tiny_shaperef.py'


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a tool of the project's folder; what it prints."""

    def run_tool(name: str, *arguments: object) -> str:
        path = ROOT / 'tools' / name
        monkeypatch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
        monkeypatch.chdir(ROOT)
        capsys.readouterr()
        runpy.run_path(str(path), run_name='__main__')
        return capsys.readouterr().out

    return run_tool


def check_picture(path: Path) -> None:
    picture = np.asarray(Image.open(path).convert('RGB'))
    assert min(picture.shape[:2]) > 300 and picture.std() > 10


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """A folder with a set and a checkpoint of random weights."""
    folder = tmp_path_factory.mktemp('analysis')
    write_set(folder / 'set', images=3, sentences=2)
    init_default_scope('mmris')
    torch.manual_seed(0)
    save_checkpoint(dict(state_dict=MODELS.build(tiny_config().model).state_dict()), str(folder / 'model.pth'))
    return folder


def data_options(folder: Path) -> list:
    return ['--data-root', folder / 'set', '--cfg-options', 'test_dataloader.num_workers=0']


def test_error_report(run, folder):
    rows, out, checkpoint = folder / 'rows.jsonl', folder / 'errors', folder / 'model.pth'
    run('test.py', CONFIG, checkpoint, '--split', 'val', '--controls', 'exchanged', '--dump', rows, '--work-dir',
        folder / 'work', *data_options(folder))
    printed = run('analysis_tools/error_report.py', rows, '--out', out)
    assert 'To draw the worst predictions too, give --config and --checkpoint.' in printed
    assert {path.name for path in out.iterdir()} == {'report.md', 'report.json', 'report.png'}
    check_picture(out / 'report.png')
    report = json.loads((out / 'report.json').read_text())
    assert list(report) == ['val', 'val_exchanged'] and '## val_exchanged' in (out / 'report.md').read_text()
    scored = [json.loads(line) for line in rows.read_text().splitlines()]
    mine = [row['iou'] for row in scored if row['split'] == 'val']
    assert report['val']['scores']['expressions'] == len(mine) == 18
    assert report['val']['scores']['mIoU'] == pytest.approx(100 * np.mean(mine))
    # The squares are of 10 x 10 pixels; COCO's rule for polygons decides about the edge.
    assert {row['image_pixels'] for row in scored} == {(40 + 3 * image) * (64 - 2 * image) for image in (1, 2, 3)}
    assert all(80 <= row['target_pixels'] <= 121 for row in scored)

    printed = run('analysis_tools/error_report.py', rows, '--out', out, '--split', 'val_exchanged', '--number', '4',
                  '--config', CONFIG, '--checkpoint', checkpoint, *data_options(folder))
    assert 'worst.png    the worst of val_exchanged' in printed and 'Warning' not in printed
    check_picture(out / 'worst.png')
    assert list(json.loads((out / 'report.json').read_text())) == ['val_exchanged']
    printed = run('analysis_tools/error_report.py', rows, '--out', out, '--split', 'val', '--threshold', '0',
                  '--config', CONFIG, '--checkpoint', checkpoint, *data_options(folder))
    assert 'score otherwise now than in' in printed
    assert 'Its rows were scored by protocol mmris, threshold 0.35.' in printed


def test_error_report_of_another_set(run, folder, tmp_path):
    row = dict(text='a', img_id=7, ref_id=8, sent_id=9, intersection=0, union=2, iou=0.0, predicted_pixels=1,
               target_pixels=1, image_pixels=9, split='val')
    (tmp_path / 'rows.jsonl').write_text(json.dumps(row) + '\n')
    with pytest.raises(ValueError, match='has no split testZ. Splits there: val'):
        run('analysis_tools/error_report.py', tmp_path / 'rows.jsonl', '--split', 'testZ')
    with pytest.raises(ValueError, match='Image 7, ref 8, sentence 9 of .* is not in split val of .* Give --data-root'):
        run('analysis_tools/error_report.py', tmp_path / 'rows.jsonl', '--out', tmp_path, '--config', CONFIG,
            '--checkpoint', folder / 'model.pth', *data_options(folder))


def test_predictions_of_a_config_of_several_sets(run, folder, tmp_path):
    """By the names that its evaluations have, as tools/test.py knows them."""
    family = write_family(tmp_path / 'data')
    config = Config.fromfile(ROOT / 'configs/_base_/datasets/refcoco_mixed.py')
    test_loader = config.test_dataloader
    tiny = tiny_config()
    config.merge_from_dict(
        dict(model=tiny.model, inputs=tiny.inputs, default_scope='mmris', test_dataloader=test_loader))
    config.dump(tmp_path / 'mixed.py')
    for name, expressions in {'refcocog_umd_test': 12, 'refcoco+_val_empty': 6}.items():
        printed = run('analysis_tools/draw_predictions.py', tmp_path / 'mixed.py', folder / 'model.pth', '--data-root',
                      family, '--split', name, '--number', '20', '--out', tmp_path / 'sheet.png')
        assert f'{expressions} expressions of {name}' in printed
        check_picture(tmp_path / 'sheet.png')


def test_what_evaluations_are_called():
    """A config's own name goes first, also where it looks like that of a control."""
    config = Config(dict(test_cfg=dict(splits=dict(a=dict(split='val', refs_file='a.p'), b_empty=dict(split='b')))))
    assert split_settings(config, 'a') == dict(split='val', refs_file='a.p')
    assert split_settings(config, 'a_exchanged') == dict(split='val', refs_file='a.p', control='exchanged')
    assert split_settings(config, 'b_empty') == dict(split='b')
    assert split_settings(config, 'testA_empty') == dict(split='testA', control='empty')
    assert split_settings(Config(dict(test_cfg=None)), 'testA') == dict(split='testA')


def test_analyze_logs(run, tmp_path):
    for name, last in dict(one=40.0, other=20.0).items():
        write_start(tmp_path / name, '1', [step(10, 5.0, 1), step(20, 4.0, 1), score(1, 30.0), step(30, 3.0, 2)])
        write_start(tmp_path / name, '2', [step(30, float('nan'), 2), step(40, 2.0, 2), score(2, last)])
    printed = run('analysis_tools/analyze_logs.py', tmp_path / 'one', tmp_path / 'other', '--out', tmp_path / 'a.png',
                  '--json', tmp_path / 'a.json')
    lines = {line.split('|')[1].strip(): line for line in printed.splitlines() if line.startswith('|')}
    assert '40 (epoch 2)' in lines['steps'] and '2.0000' in lines['loss, last']
    assert '40.00 (epoch 2) / 40.00' in lines['mIoU, best / last']
    assert '30.00 (epoch 1) / 20.00' in lines['mIoU, best / last']
    check_picture(tmp_path / 'a.png')
    logged = json.loads((tmp_path / 'a.json').read_text())
    assert [row['loss'] for row in logged['one']['training']] == [5, 4, None, 2]
    assert logged['other']['summary']['metrics']['mIoU']['best'] == 30
    run('analysis_tools/analyze_logs.py', tmp_path / 'one', '--keys', 'loss_bce', '--out', tmp_path / 'b.png')
    check_picture(tmp_path / 'b.png')


def test_print_config(run):
    tool = 'analysis_tools/print_config.py'
    whole = run(tool, CONFIG)
    assert 'model = dict(' in whole and "default_scope = 'mmris'" in whole
    assert run(tool, CONFIG, '--key', 'model.distillation').startswith('lmvsd = dict(')
    assert run(tool, CONFIG, '--key', 'train_cfg.max_epochs', '--cfg-options', 'train_cfg.max_epochs=7') == '7\n'
    other = 'configs/cm_masksd/vit-tiny_224.py'
    lines = run(tool, CONFIG, '--key', 'train_cfg', '--diff', other).splitlines()
    assert lines[:2] == [f'- {CONFIG}', f'+ {other}'] and '- train_cfg.max_epochs: 4' in lines
    assert "  train_cfg.type: 'EpochBasedTrainLoop' -> 'IterBasedTrainLoop'" in lines
    assert run(tool, CONFIG, '--diff', CONFIG).endswith('No difference.\n')


def test_browsing_shows_what_a_training_draws(run, folder, tmp_path, monkeypatch):
    """Of the run's seed, and with types that name their scope in a config of another."""
    config = Config.fromfile(ROOT / CONFIG)
    config.merge_from_dict(dict(randomness=dict(seed=3), default_scope='mmengine'))
    settings = config.train_dataloader.dataset
    settings.update(data_root=str(folder / 'set'), split='val', type='mmris.RefCOCODataset')
    for part in (config.inputs.tokenizer, config.inputs.views.main):
        part.type = f'mmris.{part.type}'
    config.dump(tmp_path / 'scoped.py')
    resolve_pipelines(config)
    dataset, drawn = DATASETS.build(settings), []
    for epoch in (0, 2):
        ReferringSampler(dataset, seed=3).set_epoch(epoch)
        drawn.append([text for sample in dataset for text in sample['data_samples'].text])

    shown, draw = [], browse_dataset.draw_sheet
    monkeypatch.setattr(browse_dataset, 'draw_sheet', lambda panels, **options: shown.append(
        [panel.caption for panel in panels]) or draw(panels, **options))
    for epoch in (0, 2):
        run('analysis_tools/browse_dataset.py', tmp_path / 'scoped.py', '--epoch', epoch, '--out', tmp_path / 'a.png')
    assert shown == drawn and drawn[0] != drawn[1]


def test_browsing_shows_all_tokens(run, tmp_path):
    """However many lines they take: here 16 words, of which one line holds 3."""

    def lengthen(refs: list) -> None:
        for ref in refs:
            ref['sentences'][0]['sent'] = 'square ' * 16

    edit_refs(write_set(tmp_path / 'set', images=1), lengthen)
    heights = []
    for length in (4, 18):
        run('analysis_tools/browse_dataset.py', CONFIG, '--loader', 'val', '--number', '1', '--out', tmp_path / 'a.png',
            '--data-root', tmp_path / 'set', '--cfg-options',
            f'inputs.tokenizer.context_length={length}')
        heights.append(Image.open(tmp_path / 'a.png').size[1])
    assert heights[1] - heights[0] > 4 * 20


def test_sentences_that_are_cut(run, folder, tmp_path):
    image = folder / 'set' / 'images' / 'COCO_train2014_000000000001.jpg'
    kept = 'the red circle that is on the left side of the picture and behind'
    given = (CONFIG, folder / 'model.pth', image, 'the star', f'{kept} a blue star')
    note = f'only "{kept}" of "{kept} a blue star" was read (16 tokens)\n'
    for tool, out in {'predict.py': 'pictures', 'analysis_tools/attention_maps.py': 'a.png'}.items():
        printed = run(tool, *given, '--out', tmp_path / out)
        assert note in printed and printed.count(' was read ') == 1


class TestInstanceMasks:
    """Tools, of a config that takes instance masks: of each image of the set there are three."""

    @pytest.fixture(scope='class')
    def trimodal(self, folder) -> Path:
        init_default_scope('mmris')
        torch.manual_seed(0)
        model = MODELS.build(tiny_config('mail/tiny_shaperef.py').model)
        save_checkpoint(dict(state_dict=model.state_dict()), str(folder / 'trimodal.pth'))
        return folder / 'trimodal.pth'

    @pytest.fixture
    def told(self, monkeypatch) -> list:
        """How many masks the model was told of, at each image."""
        counts, set_image = [], Predictor.set_image

        def count(self, image, instance_masks=None):
            counts.append(None if instance_masks is None else len(instance_masks))
            set_image(self, image, instance_masks)

        monkeypatch.setattr(Predictor, 'set_image', count)
        return counts

    def test_of_an_image(self, run, folder, trimodal, tmp_path, told):
        image = folder / 'set' / 'images' / 'COCO_train2014_000000000002.jpg'
        given = ('predict.py', MAIL, trimodal, image, 'square', '--out', tmp_path / 'out')
        masks = ('--masks', folder / 'set' / 'instance_masks.json')
        run(*given)
        run(*given, *masks, '--image-id', '2')
        run(*given, *masks, '--masks-images', folder / 'set' / 'instances.json', '--masks-min-score', '0.95')
        run('analysis_tools/attention_maps.py', *given[1:-1], tmp_path / 'attention.png', *masks, '--image-id', '2')
        assert told == [None, 3, 0, 3]
        with pytest.raises(ValueError, match=r'has masks of 3 images \(1, 2, 3\): say which of them this one is'):
            run(*given, *masks)
        with pytest.raises(ValueError, match='Instance mask 1 of .* is malformed: .* Run the segmenter on this very'):
            run(*given, *masks, '--image-id', '1')
        given = ('predict.py', CONFIG, folder / 'model.pth', image, 'square', '--out', tmp_path / 'out')
        with pytest.raises(ValueError, match='The model takes no instance masks in. Leave --masks out'):
            run(*given, *masks, '--image-id', '2')

    def test_what_predict_shows(self, run, folder, trimodal, tmp_path):
        """With masks a panel more, in which they are: none of them, another picture."""
        image = folder / 'set' / 'images' / 'COCO_train2014_000000000002.jpg'
        masks = folder / 'set' / 'instance_masks.json'
        given = ('predict.py', MAIL, trimodal, image, 'square', '--out', tmp_path)
        assert 'No instance masks (--masks): the model takes it that nothing was found' in run(*given)
        without = np.asarray(Image.open(tmp_path / f'{image.stem}_overlay.png'))
        assert f'{masks}: 3 instance masks of image 2\n' in run(*given, '--masks', masks, '--image-id', '2')
        told = np.asarray(Image.open(tmp_path / f'{image.stem}_overlay.png'))
        assert told.shape[1] == 2 * without.shape[1] - 24
        run(*given, '--masks', masks, '--image-id', '2', '--masks-min-score', '1')
        none = np.asarray(Image.open(tmp_path / f'{image.stem}_overlay.png'))
        # The squares are some percent of the picture; the caption counts them too.
        assert (told[:, :400] != none[:, :400]).any(axis=2).mean() > 0.01

    def test_of_a_set(self, run, folder, trimodal, tmp_path, told):
        """Those that evaluation tells the model of, also in a control, and where the pipeline loads none."""
        options = ('--number', '2', '--out', tmp_path / 'sheet.png', *data_options(folder))
        for split in ('val', 'val_no_masks'):
            run('analysis_tools/draw_predictions.py', MAIL, trimodal, '--split', split, *options)
        assert told == [3, 3, 0, 0]
        run('analysis_tools/draw_predictions.py', CONFIG, folder / 'model.pth', *options,
            'test_dataloader.dataset.instance_masks.file=instance_masks.json')
        assert told[4:] == [None, None]

    def test_browsing(self, run, folder, tmp_path):
        """Before each image's expressions what was found on it: of 3 images and 18 expressions 6 rows instead of 5."""
        heights = []
        for config in (CONFIG, MAIL):
            out = tmp_path / 'browse.png'
            printed = run('analysis_tools/browse_dataset.py', config, '--loader', 'val', '--split', 'val', '--out', out,
                          '--data-root', folder / 'set')
            assert '18 expressions of 3 samples' in printed
            check_picture(out)
            heights.append(Image.open(out).size[1])
        assert heights[1] - heights[0] > 150
        with_masks = np.asarray(Image.open(out))
        run('analysis_tools/browse_dataset.py', MAIL, '--loader', 'val', '--split', 'val', '--out', out, '--data-root',
            folder / 'set', '--cfg-options', 'val_dataloader.dataset.control=no_masks')
        assert (np.asarray(Image.open(out)) != with_masks).any(axis=2).mean() > 0.002

    def test_benchmarks(self, run, tmp_path):
        """Random sets get random masks."""
        out = tmp_path / 'measured.json'
        run('analysis_tools/benchmark_samples.py', MAIL, '--samples', '2', '--repetitions', '1', '--out', out)
        assert {'LoadInstanceMasks', 'MatchInstances'} <= set(json.loads(out.read_text())['seconds'])
        run('analysis_tools/benchmark_steps.py', MAIL, '--batch-size', '2', '--steps', '1', '--out', out)
        assert json.loads(out.read_text())['training']['images'] == 2
