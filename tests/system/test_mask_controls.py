"""Controls of instance masks, through the tools that score and explain."""

import json
import runpy
import sys

import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.runner import save_checkpoint

from mmris.apis import Predictor
from mmris.registry import MODELS
from tests.conftest import ROOT, tiny_config, write_set

CONFIG = 'configs/mail/tiny_shaperef.py'


def run(monkeypatch, name, *arguments):
    path = ROOT / 'tools' / name
    monkeypatch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(path), run_name='__main__')


def test_controls_are_scored_and_their_worst_predicted_again(tmp_path, monkeypatch, capsys):
    folder, rows, checkpoint = write_set(tmp_path / 'set', images=3), tmp_path / 'rows.jsonl', tmp_path / 'model.pth'
    results = json.loads((folder / 'instance_masks.json').read_text())
    # One mask on the first image, three on the others: shuffled, they are where they were not.
    (folder / 'instance_masks.json').write_text(json.dumps(results[2:]))
    init_default_scope('mmris')
    torch.manual_seed(0)
    model = MODELS.build(tiny_config('mail/tiny_shaperef.py').model)
    save_checkpoint(dict(state_dict=model.state_dict()), str(checkpoint))
    data = ('--data-root', folder, '--cfg-options', 'test_dataloader.num_workers=0')
    run(monkeypatch, 'test.py', CONFIG, checkpoint, '--split', 'val', '--controls', 'shuffled_masks', 'no_masks',
        '--dump', rows, '--work-dir', tmp_path / 'work', *data)
    # A training's config in the same folder would have been the file of this name.
    assert [path.parent.parent for path in (tmp_path / 'work').rglob('tiny_shaperef.py')] == [tmp_path / 'work']
    scored = [json.loads(line) for line in rows.read_text().splitlines()]
    assert [row['split'] for row in scored] == ['val'] * 9 + ['val_shuffled_masks'] * 9 + ['val_no_masks'] * 9

    told, set_image = {}, Predictor.set_image

    def note(self, image, instance_masks=None):
        # Each image of the set is three rows higher than the one before it.
        told[(image.shape[0] - 40) // 3] = len(instance_masks)
        set_image(self, image, instance_masks)

    monkeypatch.setattr(Predictor, 'set_image', note)
    counts = {'val_shuffled_masks': {1: 3, 2: 3, 3: 1}, 'val_no_masks': {1: 0, 2: 0, 3: 0}}
    for split, expected in counts.items():
        capsys.readouterr()
        run(monkeypatch, 'analysis_tools/error_report.py', rows, '--out', tmp_path / 'out', '--split', split,
            '--number', '9', '--config', CONFIG, '--checkpoint', checkpoint, *data)
        assert told == expected and 'Warning' not in capsys.readouterr().out


def test_of_a_config_without_masks(tmp_path, monkeypatch):
    """Told before anything is scored."""
    (tmp_path / 'model.pth').touch()
    with pytest.raises(ValueError, match='no_masks is about instance masks, .*two-modality.py has none: choose one of'):
        run(monkeypatch, 'test.py', 'configs/mail/tiny_shaperef_two-modality.py', tmp_path / 'model.pth', '--controls',
            'no_masks', '--work-dir', tmp_path)
