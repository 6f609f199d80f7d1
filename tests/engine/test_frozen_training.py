"""Training with frozen parts: they stay the same to the bit, and checkpoints can do without them."""

from pathlib import Path
from typing import Callable

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope

from mmris.checkpoints import (
    best_checkpoint,
    find_checkpoints,
    load_model_weights,
    publish,
    read_checkpoint,
    read_published,
)
from mmris.checkpoints.published import CLIP
from mmris.checkpoints.runs import EXCLUDED_PARTS
from mmris.models.encoders import CLIPEncoder
from mmris.registry import MODELS, RUNNERS
from tests.conftest import assert_same, tiny_config
from tests.engine.test_restarts import InterruptHook, InterruptionError, small_config, train

TOWERS = ('encoder.image', 'encoder.text')
FROZEN = (*TOWERS, 'neck', 'decoder')


class CutHook(Hook):
    """Interrupts between a checkpoint and the validation after it."""

    priority = 'LOWEST'

    def before_val_epoch(self, runner) -> None:
        raise InterruptionError


class LookHook(Hook):
    """Keeps what a training begins with, and looks at it in the end."""

    priority = 'LOWEST'

    def before_train(self, runner) -> None:
        self.model = runner.model
        self.begin = {name: value.clone() for name, value in runner.model.state_dict().items()}

    def after_train(self, runner) -> None:
        names = {id(parameter): name for name, parameter in runner.model.named_parameters()}
        self.with_state = {names[id(one)] for one in runner.optim_wrapper.optimizer.state}


def write_towers(path: Path, seed: int) -> str:
    """Weights of both towers, as a training here leaves them."""
    torch.manual_seed(seed)
    encoder = CLIPEncoder(architecture=tiny_config().model.encoder.architecture)
    torch.save(dict(state_dict={f'encoder.{key}': value for key, value in encoder.state_dict().items()}), path)
    return str(path)


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    init_default_scope('mmris')
    folder = tmp_path_factory.mktemp('frozen')
    write_towers(folder / 'towers.pth', 1)
    write_towers(folder / 'others.pth', 2)
    return folder


def frozen_config(folder: Path, work_dir: str, *hooks: str, **changes):
    """Two epochs with averaged weights and weight decay; half of what is frozen is pretrained."""
    average = dict(type='EMAHook', momentum=0.1)
    settings = {
        'model.encoder.pretrained': str(folder / 'towers.pth'),
        'model.decoder.dropout': 0.5,
        'model.frozen': list(FROZEN),
        'custom_hooks': [dict(type='RestartHook'), average, *(dict(type=name) for name in hooks)],
        'train_cfg.max_epochs': 2,
        **changes,
    }
    return small_config(folder, work_dir, **settings)


@pytest.fixture(scope='module')
def whole(folder) -> LookHook:
    """What a training that saves all began with and left."""
    look, runner = LookHook(), RUNNERS.build(frozen_config(folder, 'whole'))
    runner.register_hook(look)
    runner.train()
    look.checkpoint = read_checkpoint(folder / 'whole' / 'epoch_2.pth')
    return look


@pytest.fixture(scope='module')
def slim(folder) -> Path:
    """The last checkpoint of the same training without towers, interrupted before its first validation."""
    runner = RUNNERS.build(frozen_config(folder, 'slim', 'ExcludeFrozenHook'))
    runner.register_hook(CutHook())
    with pytest.raises(InterruptionError):
        runner.train()
    train(frozen_config(folder, 'slim', 'ExcludeFrozenHook', resume=True))
    return folder / 'slim' / 'epoch_2.pth'


def model(pretrained: object = None, name: str = 'ablations/shaperef_baseline.py') -> torch.nn.Module:
    """A model that is to be given trained weights."""
    config = tiny_config(f'cm_masksd/{name}').model
    config.encoder.pretrained = None if pretrained is None else str(pretrained)
    return MODELS.build(config)


class TestFrozenIsFrozen:

    def test_same_bits(self, whole):
        """Despite weight decay, averaging, BatchNorm and dropout; averages too."""
        prefixes = tuple(f'{name}.' for name in FROZEN)
        saved, averaged = whole.checkpoint['ema_state_dict'], whole.checkpoint['state_dict']
        assert any('running_var' in key for key in whole.begin if key.startswith(prefixes))
        for key, value in whole.begin.items():
            if key.startswith(prefixes):
                assert torch.equal(saved[f'module.{key}'], value) and torch.equal(averaged[key], value), key
            elif key.endswith(('weight', 'running_var')):
                assert not torch.equal(saved[f'module.{key}'], value), key

    def test_no_state_of_the_optimiser(self, whole):
        trained = {name for name, parameter in whole.model.named_parameters() if not name.startswith(FROZEN)}
        assert whole.with_state == trained and trained
        assert len(whole.checkpoint['optimizer']['state']) == len(trained)


class TestCheckpointsWithoutTowers:

    def test_resumed_equals_whole(self, whole, slim):
        found = read_checkpoint(slim)
        for part in ('optimizer', 'param_schedulers'):
            assert_same(found[part], whole.checkpoint[part])
        for part, prefixes in (('state_dict', TOWERS), ('ema_state_dict', tuple(f'module.{name}' for name in TOWERS))):
            kept = {key: value for key, value in whole.checkpoint[part].items() if not key.startswith(prefixes)}
            assert len(kept) < len(whole.checkpoint[part]) and any('neck.' in key for key in kept)
            assert_same(dict(found[part]), kept)
        best = read_checkpoint(best_checkpoint(slim.parent))['state_dict']
        assert not any(key.startswith(TOWERS) for key in best)
        assert slim.stat().st_size < 0.3 * (slim.parents[1] / 'whole' / slim.name).stat().st_size

    @pytest.mark.parametrize('published', [None, 'pth', 'safetensors'])
    def test_towers_given(self, whole, slim, folder, tmp_path, published):
        path = slim if published is None else publish(slim, tmp_path / 'slim', formats=[published]).files[0]
        loaded = model(folder / 'towers.pth')
        load_model_weights(loaded, path)
        expected = whole.checkpoint['state_dict']
        assert_same(dict(loaded.state_dict()), {key: expected[key] for key in loaded.state_dict()})

    def test_a_whole_one_needs_none(self, whole, folder):
        load_model_weights(model(), folder / 'whole' / 'epoch_2.pth')

    def test_towers_not_given(self, slim):
        with pytest.raises(RuntimeError) as raised:
            load_model_weights(model(), slim)
        assert str(raised.value) == (
            f'{slim} was saved without encoder.image and encoder.text, and the model of the config does not bring '
            f'them. Set model.encoder.pretrained (--cfg-options model.encoder.pretrained=FILE) to the weights that it '
            f'was trained with.')

    def test_other_towers_given(self, slim, folder):
        with pytest.raises(RuntimeError) as raised:
            load_model_weights(model(folder / 'others.pth'), slim)
        assert str(raised.value) == (
            f'{slim} was saved without encoder.image and encoder.text, and model.encoder.pretrained='
            f'{str(folder / "others.pth")!r} holds other weights than those it was trained with. Set '
            f'model.encoder.pretrained (--cfg-options model.encoder.pretrained=FILE) to the weights that it was '
            f'trained with.')

    def test_towers_that_are_not_there(self, slim, folder):
        message = (r'epoch_2.pth was saved without encoder.image and encoder.text, and what model.encoder.pretrained '
                   r'names cannot be loaded in place of them: pretrained=.*nowhere.pth')
        with pytest.raises(RuntimeError, match=message):
            load_model_weights(model(folder / 'nowhere.pth'), slim)

    def test_training_begins_from_one(self, slim, folder, whole):
        """Not a resumption; with the towers, and with others."""
        runner = RUNNERS.build(frozen_config(folder, 'begun', 'ExcludeFrozenHook', load_from=str(slim)))
        runner.register_hook(InterruptHook(0))
        with pytest.raises(InterruptionError):
            runner.train()
        assert_same(dict(runner.model.state_dict()), dict(whole.checkpoint['state_dict']))
        changes = {'load_from': str(slim), 'model.encoder.pretrained': str(folder / 'others.pth')}
        with pytest.raises(RuntimeError, match='others.pth. holds other weights than those it was trained with'):
            RUNNERS.build(frozen_config(folder, 'begun', **changes)).train()

    def test_no_source_of_clip(self, slim):
        message = 'it was saved without encoder.image and encoder.text: give the file that these were loaded from'
        with pytest.raises(ValueError, match=message):
            read_published(CLIP, str(slim))

    @pytest.mark.parametrize('note, message', [
        ({'encoder.image': '0' * 64, 'encoder.sound': '0' * 64},
         'epoch.pth says that it was saved without encoder.sound, but the model of the config has no such part'),
        ({'encoder.image': 1}, f'epoch.pth cannot be read as a checkpoint: its {EXCLUDED_PARTS} are not digests'),
        (['encoder.image'], f'epoch.pth cannot be read as a checkpoint: its {EXCLUDED_PARTS} are not digests'),
        ({'neck': '0' * 64}, 'epoch.pth was saved without neck, and the model of the config does not bring them'),
    ])
    def test_notes_that_lie(self, slim, folder, tmp_path, note, message):
        content = read_checkpoint(slim)
        content['meta'][EXCLUDED_PARTS] = note
        torch.save(content, tmp_path / 'epoch.pth')
        with pytest.raises((RuntimeError, ValueError), match=message):
            load_model_weights(model(folder / 'towers.pth'), tmp_path / 'epoch.pth')


class TestWhatCannotBeExcluded:

    @pytest.mark.parametrize('changes, frozen', [({'model.frozen': ['neck']}, 'frozen: neck'),
                                                 ({'model.encoder.pretrained': None}, f'frozen: {", ".join(FROZEN)}'),
                                                 ({'model.frozen': []}, 'frozen: none')])
    def test_nothing(self, folder, changes, frozen):
        message = f'finds nothing to exclude: no part that model.encoder.pretrained fills is frozen .{frozen}.. Set'
        with pytest.raises(ValueError, match=message):
            RUNNERS.build(frozen_config(folder, 'none', 'ExcludeFrozenHook', **changes)).train()

    def test_towers_that_were_trained(self, folder, whole):
        """What a training begins from has other towers than those that are named: they would be lost."""
        changes = {
            'load_from': str(folder / 'whole' / 'epoch_2.pth'),
            'model.encoder.pretrained': str(folder / 'others.pth')
        }
        message = r'would lose encoder.image and encoder.text: the checkpoint .* gave it other weights than'
        with pytest.raises(ValueError, match=message):
            RUNNERS.build(frozen_config(folder, 'lost', 'ExcludeFrozenHook', **changes)).train()
        assert not find_checkpoints(folder / 'lost')


class TestFrozenWeightsThatNothingGives:

    @pytest.fixture
    def begin(self, folder, whole, tmp_path) -> Callable:
        """Begin a training from weights without those of a part."""

        def begin(part: str) -> dict:
            weights = whole.checkpoint['state_dict']
            torch.save(dict(state_dict={key: weights[key] for key in weights if not key.startswith(part)}),
                       tmp_path / 'lacking.pth')
            config = frozen_config(
                folder, 'lacking', load_from=str(tmp_path / 'lacking.pth'), custom_hooks=[dict(type='RestartHook')])
            runner = RUNNERS.build(config)
            runner.register_hook(InterruptHook(0))
            with pytest.raises(InterruptionError):
                runner.train()

        return begin

    def test_error(self, begin):
        message = (r'lacking.pth lacks neck.sentence_projection.*, .* and \d+ more of neck, which the config freezes, '
                   r'so that it would stay as it began, at random. Set load_from to a checkpoint')
        with pytest.raises(RuntimeError, match=message):
            begin('neck.')

    @pytest.mark.parametrize('part', ['encoder.', 'head.'])
    def test_pretrained_parts_and_trained_ones_may_be_lacking(self, begin, part):
        begin(part)

    @pytest.mark.parametrize('frozen', [['encoder.image', 'neck'], ['encoder.image', 'encoder.text']])
    def test_a_warning_where_there_is_no_checkpoint(self, folder, monkeypatch, frozen):
        changes = {'model.frozen': frozen, 'custom_hooks': [dict(type='RestartHook')]}
        runner = RUNNERS.build(frozen_config(folder, 'alone', **changes))
        runner.register_hook(InterruptHook(0))
        warnings = []
        monkeypatch.setattr(runner.logger, 'warning', lambda text, *_: warnings.append(text))
        with pytest.raises(InterruptionError):
            runner.train()
        found = [text for text in warnings if 'stay at random' in text]
        assert len(found) == ('neck' in frozen)
        assert all('such as neck.' in text and 'neither load_from nor' in text for text in found)
