"""The command lines, one after the other, as a user types them."""

import argparse
import json
import os
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmris.commands.run_ablation import gpus_of_slots
from mmris.commands.test import set_splits
from tests.conftest import ROOT, run_python, write_set

CONFIG = 'configs/cm_masksd/vit-tiny_shaperef.py'


@pytest.fixture(scope='module')
def trained(tmp_path_factory) -> Path:
    """A folder with a set, and what one epoch of training on it left."""
    folder = tmp_path_factory.mktemp('tools')
    write_set(folder / 'set', sentences=2)
    train(folder, 'train_cfg.max_epochs=1')
    return folder


def data_options(folder: Path) -> list:
    return ['--data-root', folder / 'set']


def train(folder: Path, *options: str, resume: bool = False) -> str:
    return run_python('tools/train.py', CONFIG, '--work-dir', folder / 'work', *(['--resume'] if resume else []),
                      *data_options(folder), '--cfg-options', 'train_dataloader.dataset.split=val',
                      'train_dataloader.batch_size=2', 'default_hooks.logger.interval=1', *options)


def checkpoint(folder: Path) -> Path:
    return next((folder / 'work').glob('best_mIoU_*.pth'))


def test_training_leaves_checkpoints(trained):
    names = {path.name for path in (trained / 'work').iterdir()}
    assert {'epoch_1.pth', 'last_checkpoint', 'vit-tiny_shaperef.py'} <= names and checkpoint(trained).is_file()


def test_resume_goes_on_with_the_next_epoch(trained):
    output = train(trained, 'train_cfg.max_epochs=2', resume=True)
    assert 'resumed epoch: 1' in output and 'Epoch(train) [2][1/2]' in output
    assert 'Epoch(train) [1]' not in output and 'eta:' in output


def test_evaluation(trained):
    out, dump = trained / 'metrics.json', trained / 'per_expression.jsonl'
    output = run_python('tools/test.py', CONFIG, checkpoint(trained), '--split', 'val', '--controls', 'exchanged',
                        'empty', '--out', out, '--dump', dump, '--work-dir', trained / 'work', *data_options(trained))
    results = json.loads(out.read_text())
    assert list(results) == ['val', 'val_exchanged', 'val_empty']
    wanted = {'oIoU', 'mIoU', 'Pr@0.5', 'Pr@0.6', 'Pr@0.7', 'Pr@0.8', 'Pr@0.9', 'expressions'}
    assert all(wanted <= set(scores) and scores['expressions'] == 30 for scores in results.values())
    assert f'{results["val"]["mIoU"]:.2f}' in output
    rows = [json.loads(line) for line in dump.read_text().splitlines()]
    assert len(rows) == 90 and {'split', 'sent_id', 'text', 'intersection', 'union', 'iou'} <= set(rows[0])
    val = [row for row in rows if row['split'] == 'val']
    assert np.mean([100 * row['iou'] for row in val]) == pytest.approx(results['val']['mIoU'])
    assert 100 * sum(row['intersection'] for row in val) / sum(row['union'] for row in val) == pytest.approx(
        results['val']['oIoU'])
    assert all(row['text'] == '' for row in rows if row['split'] == 'val_empty')


def test_splits_by_name():
    """A name that the config gives stands for what it says there, another for a split of the refs file."""
    config = Config.fromfile(ROOT / 'configs/shared_ris/beit3-l_mixed.py')
    arguments = argparse.Namespace(split=['refcocog_umd_val', 'train'], controls=['empty'], dump=None)
    set_splits(config, arguments)
    umd = dict(split='val', refs_file='refcocog/refs(umd).p', ann_file='refcocog/instances.json')
    assert config.test_cfg.splits == dict(
        refcocog_umd_val=umd, train=dict(split='train'), refcocog_umd_val_empty=dict(umd, control='empty'))


def test_prediction(trained):
    image = trained / 'set' / 'images' / 'COCO_train2014_000000000001.jpg'
    out = trained / 'predictions'
    run_python('tools/predict.py', CONFIG, checkpoint(trained), image, 'square 0', 'the square on the left', '--out',
               out)
    for position in (1, 2):
        mask = np.asarray(Image.open(out / f'{image.stem}_{position}_mask.png'))
        assert mask.shape == (43, 62) and set(np.unique(mask)) <= {0, 255}
    assert Image.open(out / f'{image.stem}_overlay.png').mode == 'RGB'
    assert len(list(out.iterdir())) == 4 and (out / f'{image.stem}.json').is_file()


@pytest.mark.parametrize('tool, arguments', [
    ('browse_dataset.py', ['--split', 'val', '--number', '3']),
    ('draw_predictions.py', ['--split', 'val', '--number', '3']),
])
def test_pictures(trained, tool, arguments):
    out = trained / f'{tool}.png'
    given = [CONFIG] if tool == 'browse_dataset.py' else [CONFIG, checkpoint(trained)]
    run_python(f'tools/analysis_tools/{tool}', *given, *arguments, '--out', out, *data_options(trained))
    picture = np.asarray(Image.open(out))
    assert picture.ndim == 3 and picture.shape[1] > 500 and picture.std() > 10


@pytest.mark.parametrize('tool', sorted((ROOT / 'tools').rglob('*.py')), ids=lambda path: path.stem)
def test_help(tool, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', [str(tool), '--help'])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(tool), run_name='__main__')
    assert ended.value.code == 0 and f'usage: {tool.name}' in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize('tool', ['tools/test.py', 'tools/predict.py'])
def test_checkpoints_of_another_kind(trained, tool):
    class Malicious:

        def __reduce__(self):
            return os.mkdir, (str(trained / f'made by {Path(tool).stem}'), )

    bad, other = trained / 'bad.pth', trained / 'other.pth'
    torch.save(dict(state_dict=Malicious()), bad)
    torch.save(dict(state_dict=dict(weight=torch.zeros(1))), other)
    image = trained / 'set' / 'images' / 'COCO_train2014_000000000001.jpg'
    rest = [image, 'square'] if tool.endswith('predict.py') else ['--split', 'val', '--work-dir', trained / 'work']
    rest += data_options(trained)
    assert 'bad.pth cannot be read as a checkpoint' in run_python(tool, CONFIG, bad, *rest, fails=True)
    assert not list(trained.glob('made by*'))
    assert 'Left over: weight. Use the config' in run_python(tool, CONFIG, other, *rest, fails=True)


@pytest.mark.slow
def test_ablation(tmp_path):
    """Two configs, two seeds, run once; a second start trains nothing, other settings are refused."""
    write_set(tmp_path / 'set', sentences=2)
    out = tmp_path / 'ablation'
    configs = [f'configs/cm_masksd/ablations/shaperef_{name}.py' for name in ('baseline', 'both')]
    command = [
        'tools/analysis_tools/run_ablation.py', *configs, '--seeds', '3', '4', '--metrics', 'mIoU', '--data-root',
        tmp_path / 'set', '--out', out, '--jobs', '2', '--pairs', 'shaperef_both:shaperef_baseline', '--train-options'
    ]
    options = ('--cfg-options train_dataloader.dataset.split=val train_dataloader.batch_size=2 train_cfg.max_epochs=1 '
               'val_dataloader.num_workers=0')
    output = run_python(*command, options)
    assert 'shaperef_both_seed4: mIoU val' in output and '| shaperef_both - shaperef_baseline |' in output
    record = json.loads((out / 'ablation.json').read_text())
    pair = record['compared']['pairs'][0]
    assert pair['difference'] == pytest.approx(record['rows'][1]['val/mIoU']['difference']['mean'])
    assert '| shaperef_both - shaperef_baseline | ' in re.sub(' +', ' ', output.partition('p, Holm')[2])
    assert [row['name'] for row in record['rows']] == ['shaperef_baseline', 'shaperef_both']
    alone = json.loads((out / 'shaperef_both_seed4' / 'metrics.json').read_text())['val']['mIoU']
    assert record['rows'][1]['val/mIoU']['values']['4'] == alone
    assert (out / 'ablation.md').read_text().strip() in output
    shares = {run['folder']: run['target_shares'] for run in record['runs']}
    assert not shares['shaperef_baseline_seed4'] and 0 <= shares['shaperef_both_seed4']['lmvsd']['target_share'] <= 1
    assert '| shaperef_both | lmvsd |' in re.sub(' +', ' ', output)
    assert np.asarray(Image.open(out / 'ablation.png')).std() > 10
    assert 'train.py' not in run_python(*command, options)
    assert 'holds a run of configs/cm_masksd/ablations/shaperef_baseline.py with other settings' in run_python(
        *command, '--accumulate 2', fails=True)


def test_errors_say_what_to_do(trained):
    assert 'There is no config nowhere.py' in run_python('tools/train.py', 'nowhere.py', fails=True)
    assert 'There is no checkpoint none.pth' in run_python('tools/test.py', CONFIG, 'none.pth', fails=True)
    assert 'There is no image none.jpg' in run_python('tools/predict.py', CONFIG, checkpoint(trained), 'none.jpg', 'a',
                                                      fails=True)
    output = run_python('tools/test.py', CONFIG, checkpoint(trained), '--split', 'testZ', '--work-dir',
                        trained / 'work', *data_options(trained), fails=True)
    assert "split 'testZ' is not in" in output and 'Splits there: val' in output


@pytest.mark.parametrize('visible, slots', [(None, [['0', '1'], ['2', '3']]), ('4,5,6,7', [['4', '5'], ['6', '7']])])
def test_runs_of_an_ablation_share_the_visible_gpus(monkeypatch, visible, slots):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 4)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', visible or '')
    options = argparse.Namespace(jobs=2, processes=2)
    assert gpus_of_slots(options) == slots
    with pytest.raises(ValueError, match='--jobs 3 runs at a time of --processes 2 need 6 GPUs, but 4 are visible'):
        gpus_of_slots(argparse.Namespace(jobs=3, processes=2))
