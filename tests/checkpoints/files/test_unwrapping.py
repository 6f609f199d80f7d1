"""Weights come out of whatever training frameworks put around them, alike in all loaders and converters."""

import numpy as np
import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.optim.swa_utils import AveragedModel

from mmris.checkpoints import (
    UnreadableCheckpointError,
    convert,
    load_model_weights,
    publish,
    read_checkpoint,
    read_published,
    strip_model_prefix,
    unwrap_weights,
)
from mmris.checkpoints.files import unwrapping
from mmris.checkpoints.published import BEIT3, CLIP, CRIS, VILT, cris
from mmris.registry import MODELS
from tests.checkpoints.loading_runner import runner_of
from tests.checkpoints.published import beit3_files, vilt_files
from tests.checkpoints.published.clip_files import open_clip_model
from tests.conftest import assert_same
from tests.parity.toy_cris import our_config, plain_model, released
from tests.test_configs import TOY_SWIN


def toy() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def parameters(model: nn.Module) -> dict:
    """As a loop over parameters saves them: ``state_dict`` of some wrappers hides what ``named_parameters`` shows."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


class TestWrappersThemselves:
    """What the frameworks' own wrappers leave."""

    @pytest.mark.parametrize('wrap', [
        lambda model: model.state_dict(),
        lambda model: nn.DataParallel(model).state_dict(),
        lambda model: torch.compile(model).state_dict(),
        lambda model: nn.DataParallel(torch.compile(model)).state_dict(),
        lambda model: torch.compile(nn.DataParallel(model)).state_dict(),
        lambda model: AveragedModel(model).state_dict(),
        lambda model: AveragedModel(torch.compile(model)).state_dict(),
        lambda model: ExponentialMovingAverage(model).state_dict(),
        lambda model: nn.Sequential(torch.compile(model[0]), model[1]).state_dict(),
        lambda model: nn.Sequential(nn.DataParallel(model[0]), model[1]).state_dict(),
        lambda model: parameters(nn.Sequential(checkpoint_wrapper(model[0]), model[1])),
        lambda model: parameters(checkpoint_wrapper(model)),
    ], ids=['none', 'parallel', 'compiled', 'parallel_compiled', 'compiled_parallel', 'averaged', 'averaged_compiled',
            'averaged_by_mmengine', 'part_compiled', 'part_parallel', 'part_recomputed', 'recomputed'])
    def test_are_not_in_names(self, wrap):
        found = unwrap_weights(dict(state_dict=wrap(toy())), 'toy.pth')
        assert_same(found, dict(toy().state_dict()))


def behind(prefix: str):
    return lambda state: {prefix + name: value for name, value in state.items()}


LIGHTNING = {
    'epoch': 3,
    'global_step': 40,
    'pytorch-lightning_version': '2.5.0',
    'loops': dict(fit_loop=dict(state_dict=dict(), epoch_progress=dict(total=3))),
    'callbacks': {"ModelCheckpoint{'monitor': 'val'}": dict(best_model_score=torch.tensor(0.5))},
    'optimizer_states': [dict(state={0: dict(exp_avg=torch.ones(2))}, param_groups=[dict(lr=0.1)])],
    'lr_schedulers': [],
    'hyper_parameters': dict(lr=0.1)
}
# What is saved around weights, by who does so.
WRAPS = dict(
    bare=lambda state: state,
    mmengine=lambda state: dict(state_dict=state, meta=dict(epoch=3), message_hub=dict(), optimizer=dict(state=dict())),
    distributed=behind('module.'),
    distributed_compiled=lambda state: dict(model=behind('module._orig_mod.')(state), optimizer=dict(lr=0.1)),
    fsdp=lambda state: dict(model_state_dict=behind('_fsdp_wrapped_module.')(state), epoch=3),
    deepspeed=lambda state: dict(module=behind('module.')(state), ds_version='0.16', lr_scheduler=None),
    lightning=lambda state: dict(LIGHTNING, state_dict=behind('model.')(state)),
    lightning_compiled=lambda state: dict(LIGHTNING, state_dict=behind('model._orig_mod.')(state)),
    lightning_deeper=lambda state: dict(LIGHTNING, state_dict=behind('network.model.')(state)),
    fabric=lambda state: dict(model=behind('_forward_module.')(state), step=3),
    averaged=lambda state: dict(model_ema={**behind('module.')(state), 'n_averaged': torch.tensor(7)}, epoch=3),
    averaged_beside=lambda state: dict(
        state_dict=state, state_dict_ema={name: value + 1 for name, value in state.items()}),
    averaged_by_mmengine=lambda state: {**behind('module.')(state), 'steps': torch.tensor(7)},
    bare_beside_numbers=lambda state: {'epoch': 3, **state, 'best': 0.5, 'name': 'toy', 'scheduler': None},
    in_an_entry=lambda state: dict(model=dict(state_dict=state, arguments=dict(lr=0.1))),
)


@pytest.fixture(params=WRAPS)
def save(request, tmp_path):
    """Write weights to a file, wrapped."""

    def write(state, name='weights.pth'):
        torch.save(WRAPS[request.param](dict(state)), tmp_path / name)
        return str(tmp_path / name)

    return write


def assert_same_weights(model, path, plain):
    found, plain = read_published(model, path), read_published(model, str(plain))
    assert_same(found.state, plain.state)
    assert_same(found.excluded, plain.excluded)
    assert found.others == () and found.state and found.excluded


class TestLoaders:
    """Each loader and converter takes each of them as it takes bare weights."""

    def test_a_model(self, save, tiny_model):
        expected = {name: value + 1 if value.is_floating_point() else value
                    for name, value in tiny_model.state_dict().items()}
        load_model_weights(tiny_model, save(expected))
        assert_same(dict(tiny_model.state_dict()), expected)

    def test_load_from(self, save, runner):
        model = runner.model
        expected = {name: value + 1 if value.is_floating_point() else value
                    for name, value in model.state_dict().items()}
        runner.load_checkpoint(save(expected))
        assert_same(dict(model.state_dict()), expected)

    def test_clip(self, save, tmp_path):
        state = open_clip_model().state_dict()
        torch.save(state, tmp_path / 'plain.pt')
        assert_same_weights(CLIP, save(state), tmp_path / 'plain.pt')

    def test_beit3(self, save, tmp_path):
        state = beit3_files.published('pretraining')
        torch.save(state, tmp_path / 'plain.pth')
        assert_same_weights(BEIT3, save(state), tmp_path / 'plain.pth')

    def test_vilt(self, save, tmp_path):
        state = vilt_files.published()
        torch.save(state, tmp_path / 'plain.pth')
        assert_same_weights(VILT, save(state), tmp_path / 'plain.pth')

    def test_swin(self, save):
        torch.manual_seed(0)
        toy = dict(TOY_SWIN, joint_channels=24)
        source = MODELS.build(toy)
        state = {name.replace('patch_embed.stem', 'patch_embed'): value
                 for name, value in source.timm.state_dict().items()}
        torch.manual_seed(1)
        tower = MODELS.build(dict(toy, pretrained=save({**state, 'head.fc.weight': torch.ones(1)})))
        tower.load_pretrained()
        assert_same(tower.timm.state_dict(), source.timm.state_dict())

    @pytest.mark.parametrize('to', ['mmris', 'cris'])
    def test_cris(self, save, tmp_path, monkeypatch, to):
        """Both ways."""
        our_config().dump(tmp_path / 'toy.py')
        monkeypatch.setattr(cris, 'CONFIGS', (str(tmp_path / 'toy.py'), ))
        # Bare of the prefix that their files have, since DDP is one of the wrappers.
        state = {name.removeprefix('module.'): value for name, value in released(plain_model()).items()}
        there, back = tmp_path / 'there.pth', tmp_path / 'back.pth'
        convert(CRIS, save(state), str(there))
        if to == 'mmris':
            model = MODELS.build(our_config().model)
            load_model_weights(model, there)
        else:
            convert(CRIS, save(read_checkpoint(there)['state_dict'], 'ours.pth'), str(back), 'cris')
            assert_same(read_checkpoint(back)['state_dict'], {f'module.{name}': value for name, value in state.items()})

    def test_publish(self, save, tiny_model, tmp_path):
        state = {name: value for name, value in tiny_model.state_dict().items() if not name.startswith('distillation')}
        [path] = publish(save(state), tmp_path / 'out', config='mine', formats=['pth']).files
        assert_same(read_checkpoint(path)['state_dict'], state)


@pytest.fixture(scope='module')
def runner(tmp_path_factory):
    return runner_of(tmp_path_factory.mktemp('runner'))


class TestWhatIsNoModel:

    def test_what_is_beside_it_is_left_over(self, tiny_model, tmp_path):
        """Of a Lightning module with other parts, these are named."""
        state = behind('model.')(tiny_model.state_dict())
        torch.save(dict(state_dict={**state, 'criterion.weight': torch.ones(2)}), tmp_path / 'lightning.ckpt')
        with pytest.raises(RuntimeError, match=r'Missing: none. Left over: criterion.weight\.'):
            load_model_weights(tiny_model, tmp_path / 'lightning.ckpt')

    def test_parts_beside_clip_are_named(self, tmp_path):
        state = behind('clip.')(open_clip_model().state_dict())
        torch.save(dict(state_dict={**state, 'probe.weight': torch.ones(2)}), tmp_path / 'probe.ckpt')
        assert read_published(CLIP, str(tmp_path / 'probe.ckpt')).others == ('probe.weight', )

    def test_a_teacher_and_a_student(self, tiny_model, tmp_path):
        state = tiny_model.state_dict()
        torch.save({**behind('teacher.')(state), **behind('student.')(state)}, tmp_path / 'both.pth')
        with pytest.raises(UnreadableCheckpointError, match='both.pth .*it holds the model 2 times, under student. and '
                           'teacher.. Save one of them to a file of its own'):
            load_model_weights(tiny_model, tmp_path / 'both.pth')

    @pytest.mark.parametrize('read', [
        lambda path: publish(path, f'{path}.out', config='mine'),
        lambda path: read_published(CLIP, str(path)),
    ], ids=['publish', 'clip'])
    @pytest.mark.parametrize('prefixes', [('teacher.', 'student.'), ('ema.', 'model.')])
    def test_two_of_a_layout(self, tiny_model, tmp_path, read, prefixes):
        one, other = (behind(prefix)(tiny_model.state_dict()) for prefix in prefixes)
        torch.save({**one, **other}, tmp_path / 'both.pth')
        with pytest.raises(UnreadableCheckpointError, match='both.pth .*it holds the model 2 times, under '):
            read(tmp_path / 'both.pth')

    def test_a_teacher_beside_a_bare_student(self, tiny_model, tmp_path):
        state = tiny_model.state_dict()
        bare = {name: value for name, value in state.items() if not name.startswith('encoder.text')}
        for content in ({**behind('teacher.')(state), **bare}, {**bare, **behind('teacher.')(state)}):
            torch.save(content, tmp_path / 'both.pth')
            with pytest.raises(UnreadableCheckpointError, match='the model 2 times, under no prefix and teacher'):
                load_model_weights(tiny_model, tmp_path / 'both.pth')

    def test_a_prefix_that_is_a_part_of_another_model(self, tmp_path):
        """It is published whole."""
        state = {'backbone.encoder.weight': torch.ones(1), 'head.weight': torch.ones(2)}
        torch.save(state, tmp_path / 'theirs.pth')
        [path] = publish(tmp_path / 'theirs.pth', tmp_path / 'out', config='mine', formats=['pth']).files
        assert_same(read_checkpoint(path)['state_dict'], state)

    @pytest.mark.parametrize('content, found', [
        (dict(model=dict(name='x', width=3), model_state_dict=dict(a=torch.ones(1))), ['a']),
        (dict(a=torch.ones(1), b=torch.ones(1), params=dict(lr=0.1)), None),
        (dict(student=dict(a=torch.ones(1))), ['a']),
        (dict(student=dict(a=torch.ones(1)), ema=dict(a=torch.ones(1))), None),
        (dict(state_dict=dict(net=dict(a=torch.ones(1)), head=dict(a=torch.ones(1)))), None),
        (dict(model=dict(a=torch.ones(2), b=torch.ones(1)), best=torch.tensor(0.5)), ['a', 'b']),
        (dict(model=dict(a=torch.ones(1)), discriminator=dict(a=torch.ones(1), b=torch.ones(1))), ['a']),
        (dict(a=torch.ones(1), b=torch.ones(1), ema=dict(a=torch.ones(1))), None),
    ])
    def test_which_entry(self, content, found):
        """The one that holds weights; if nothing tells which of several, none is taken in silence."""
        if found is None:
            with pytest.raises(UnreadableCheckpointError, match='holds values that are not tensors'):
                unwrap_weights(content, 'f.pth')
        else:
            assert list(unwrap_weights(content, 'f.pth')) == found

    @pytest.mark.parametrize('name', ['_fsdp_wrapped_module._flat_param', 'encoder.flat_param_0'])
    def test_flattened(self, name):
        with pytest.raises(UnreadableCheckpointError, match=rf'FSDP has saved its weights flattened \({name}\). '
                           r'Save them with .*full_state_dict=True'):
            unwrap_weights(dict(model={name: torch.ones(9)}), 'f.pth')

    def test_values_that_are_no_tensors(self):
        """They are an error where they may be weights, or hold some."""
        message = 'f.pth .*it holds values that are not tensors: '
        for strange, value in ((3, 'x'), ('list', [1, 2]), ('dict', dict(a=1)), ('head.a', 0.5), ('head.b', None)):
            with pytest.raises(UnreadableCheckpointError, match=f'{message}{strange}'):
                unwrap_weights({'weight': torch.ones(1), strange: value, 'step': 3}, 'f.pth')
        with pytest.raises(UnreadableCheckpointError, match=f'{message}scale'):
            unwrap_weights(dict(weight=torch.ones(1), scale=0.5), 'f.pth', expected=('weight', 'scale'))
        with pytest.raises(UnreadableCheckpointError, match=f'{message}epoch'):
            unwrap_weights(dict(epoch=3), 'f.pth')

    @pytest.mark.parametrize('value', [3, 0.5, 'resnet', None, True, np.float32(0.5), np.int64(3)], ids=repr)
    @pytest.mark.parametrize('wrap', [lambda state: state, lambda state: dict(model=state, best=1.0)])
    def test_plain_values_beside_weights(self, value, wrap, monkeypatch):
        logged = []
        monkeypatch.setattr(unwrapping, 'print_log', lambda message, logger: logged.append((message, logger)))
        state = {'encoder.weight': torch.ones(1), 'b': torch.zeros(2)}
        assert_same(unwrap_weights(wrap({'epoch': value, **state, 'note': value}), 'f.pth'), state)
        assert logged == [('f.pth: dropped 2 values that are not weights: epoch, note.', 'current')]

    def test_two_of_a_name(self):
        with pytest.raises(UnreadableCheckpointError, match='two weights of the name a.b, one of them as module.a.b'):
            unwrap_weights({'a.b': torch.ones(1), 'module.a.b': torch.ones(1)}, 'f.pth')

    def test_names_that_only_look_wrapped(self):
        """A part called so, and counters inside of a model."""
        state = {'my_module.weight': torch.ones(1), 'head.steps': torch.tensor(3), 'modules.x': torch.ones(1)}
        assert_same(unwrap_weights(state, 'f.pth'), state)

    def test_a_model_that_holds_wrappers(self, tmp_path):
        """Its own checkpoints fit, and those of the model without."""
        inner = toy()
        model = nn.Sequential(torch.compile(inner), nn.Linear(2, 2))
        model.register_buffer('steps', torch.tensor(3))
        torch.save(model.state_dict(), tmp_path / 'own.pth')
        expected = {name: value.clone() for name, value in model.state_dict().items()}
        nn.init.zeros_(inner[0].weight)
        load_model_weights(model, tmp_path / 'own.pth')
        assert_same(dict(model.state_dict()), expected)

    def test_names_of_no_model(self):
        state = {'a.b': torch.ones(1)}
        assert strip_model_prefix(state, {'c.d'}, 'f.pth') == state
