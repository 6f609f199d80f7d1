"""Parts of a model that are not trained."""

import copy

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmris.checkpoints.runs import (
    check_frozen,
    digest_parts,
    exclude_parts,
    find_excludable_parts,
    find_uninitialized_frozen,
    restore_excluded_parts,
)
from mmris.models.encoders import BEiT3Encoder, CLIPEncoder, Encoder, TrimodalEncoder
from mmris.models.layers import average_running_statistics, running_statistics
from mmris.models.necks import PromptNeck
from mmris.registry import MODELS
from mmris.utils import is_part
from tests.checkpoints.published import toy_joint, vilt_files
from tests.checkpoints.published.clip_files import RESNET, VIT, open_clip_model
from tests.conftest import assert_same, tiny_config
from tests.models.test_beit3_architecture import ARCHITECTURE, published
from tests.models.test_distillation import make_inputs
from tests.models.test_referring_segmentor import total_loss
from tests.test_configs import TOY_SWIN


def frozen_model(*names: str, **changes) -> nn.Module:
    """CM-MaskSD at the demo's size, some of it frozen."""
    torch.manual_seed(0)
    config = tiny_config()
    config.merge_from_dict(changes)
    return MODELS.build({**config.model, 'frozen': names})


class TestFrozen:

    def test_no_gradient(self):
        model, names = frozen_model('encoder.text', 'neck'), ('encoder.text.', 'neck.')
        inputs = make_inputs()
        total_loss(model, inputs).backward()
        for name, parameter in model.named_parameters():
            assert (parameter.grad is None) == (not parameter.requires_grad) == name.startswith(names), name

    def test_evaluation_mode(self):
        model = frozen_model('encoder.text', 'neck', 'decoder')
        frozen = {id(module) for part in (model.encoder.text, model.neck, model.decoder) for module in part.modules()}
        for mode in (True, False, True):
            assert all(module.training == (mode and id(module) not in frozen) for module in model.modules())
            model.train(not mode)

    def test_a_parameter(self):
        """The rest of its module is trained."""
        model, name = frozen_model('head.kernel_projection.weight'), 'head.kernel_projection.weight'
        total_loss(model, make_inputs()).backward()
        for key, parameter in model.named_parameters():
            assert (parameter.grad is None) == (not parameter.requires_grad) == (key == name), key
        assert all(module.training for module in model.modules())

    def test_batch_norms_that_are_put_in_place_of_others(self):
        """As mmengine does for several GPUs."""
        model = frozen_model('neck.aggregate.1')
        model.neck.aggregate[1] = nn.SyncBatchNorm(model.neck.aggregate[1].num_features)
        assert not model.train().neck.aggregate[1].training

    def test_copies_of_branches_are_trained(self):
        model = frozen_model('neck', 'decoder', 'head', **{'model.distillation.lmvsd.share_weights': False})
        copied = model.distillation.lmvsd.stages
        assert all(module.training for module in copied.modules())
        assert all(parameter.requires_grad for parameter in copied.parameters())

    @pytest.mark.parametrize('name, message', [
        ('encoder.imag', "frozen names 'encoder.imag', but there is no such part. encoder has image, text."),
        ('tail', "frozen names 'tail', but there is no such part. The model has data_preprocessor, encoder, neck, "),
        ('', "frozen names '', but there is no such part. The model has data_preprocessor, encoder, neck, "),
        ('head.kernel_projection.x', "no such part. head.kernel_projection has weight, bias."),
        ('head.kernel_projection.bias.x', "no such part. head.kernel_projection.bias has no parts."),
    ])
    def test_parts_that_there_are_not(self, name, message):
        with pytest.raises(ValueError) as raised:
            frozen_model('encoder', name)
        assert message in str(raised.value)


class TestParametersInCheckpoints:
    """What concerns frozen parts takes single parameters too, such as BEiT-3's class token."""

    NAMES = ('encoder.class_token', 'encoder.image_norm')

    @staticmethod
    def model(folder, frozen) -> nn.Module:
        path, _ = published(folder)
        model = nn.Module()
        model.encoder = BEiT3Encoder(architecture=copy.deepcopy(ARCHITECTURE), pretrained=path)
        model.frozen = frozen
        return model

    def test_excluded_and_restored(self, tmp_path):
        model = self.model(tmp_path, self.NAMES)
        model.encoder.load_pretrained()
        names = find_excludable_parts(model)
        assert set(names) == set(self.NAMES)
        whole = {name: value.clone() for name, value in model.state_dict().items()}
        checkpoint = dict(meta={}, state_dict=dict(whole))
        exclude_parts(checkpoint, digest_parts(model, names))
        assert set(whole) - set(checkpoint['state_dict']) == {key for key in whole if is_part(key, self.NAMES)}
        other = self.model(tmp_path, self.NAMES)
        restore_excluded_parts(checkpoint, other, 'epoch.pth')
        assert_same({key: checkpoint['state_dict'][key] for key in whole}, whole)

    def test_a_digest_knows_the_parameter(self, tmp_path):
        model = self.model(tmp_path, ())
        before = digest_parts(model, self.NAMES)
        model.encoder.class_token.data += 1
        after = digest_parts(model, self.NAMES)
        assert [before[name] == after[name] for name in self.NAMES] == [False, True]

    def test_uninitialised(self, tmp_path):
        model = self.model(tmp_path, ('neck.no_mask', 'encoder.class_token'))
        model.neck = PromptNeck(in_channels=32, channels=16)
        assert find_uninitialized_frozen(model) == ['neck.no_mask']
        with pytest.raises(RuntimeError, match='epoch.pth lacks neck.no_mask of neck.no_mask, which the config'):
            check_frozen(model, {}, 'epoch.pth')
        check_frozen(model, {'neck.no_mask': None}, 'epoch.pth')


def test_without_a_decoder():
    """The head takes what the neck gives."""
    config = tiny_config('cm_masksd/ablations/shaperef_baseline.py').model
    del config.decoder
    torch.manual_seed(0)
    model, inputs = MODELS.build(config).eval(), make_inputs()
    with torch.no_grad():
        encoded = model.extract_feat(inputs)
        assert torch.equal(model.decode(encoded), model.head(model.neck(encoded)))


class TestRunningStatistics:
    """What processes make of them; here one, whose mean is made to show."""

    @pytest.fixture
    def model(self, monkeypatch):
        def add_one(tensors, op):
            for tensor in tensors:
                tensor.add_(1)

        monkeypatch.setattr(running_statistics, 'all_reduce_params', add_one)
        return frozen_model('neck')

    @staticmethod
    def averaged(model) -> dict:
        """Whether each BatchNorm has been, by name."""
        return {
            name: bool((norm.running_mean == 1).all())
            for name, norm in model.named_modules() if isinstance(norm, _BatchNorm)
        }

    @staticmethod
    def expected(model) -> dict:
        return {name: not name.startswith('neck.') for name in TestRunningStatistics.averaged(model)}

    def test_frozen_ones_stay(self, model):
        assert set(self.expected(model).values()) == {True, False}
        average_running_statistics(model)
        assert self.averaged(model) == self.expected(model)

    def test_of_averaged_weights(self, model):
        average = ExponentialMovingAverage(model)
        average_running_statistics(average.module, model)
        assert self.averaged(average.module) == self.expected(model)


class TestPretrainedParts:
    """An encoder names what is filled, all of it, and nothing else."""

    @staticmethod
    def check(encoder: Encoder, expected: tuple) -> None:
        assert encoder.pretrained_parts == expected
        unlikely = 0.123456789
        for value in encoder.state_dict().values():
            if value.is_floating_point():
                value.fill_(unlikely)
        encoder.load_pretrained()
        for name, value in encoder.state_dict().items():
            if value.is_floating_point() and value.numel():
                assert bool((value != torch.tensor(unlikely)).any()) == is_part(name, expected), name

    @pytest.fixture
    def clip(self, tmp_path) -> str:
        torch.save(open_clip_model(VIT).state_dict(), tmp_path / 'vit.pth')
        return str(tmp_path / 'vit.pth')

    def test_vit(self, clip):
        self.check(CLIPEncoder(architecture=VIT, pretrained=clip, quick_gelu=True), ('image', 'text'))

    def test_resnet(self, tmp_path):
        """The shortcut of the attention pool is not CLIP's."""
        torch.save(open_clip_model(RESNET).state_dict(), tmp_path / 'resnet.pth')
        encoder = CLIPEncoder(architecture=RESNET, pretrained=str(tmp_path / 'resnet.pth'), quick_gelu=True)
        self.check(encoder, ('image.clip', 'text'))

    @pytest.mark.parametrize('text_too', [False, True])
    def test_another_image_tower(self, clip, tmp_path, text_too):
        """It loads its own; its projection is learnt."""
        tower = dict(TOY_SWIN, joint_channels=24)
        state = {name: torch.ones_like(value) for name, value in MODELS.build(tower).timm.state_dict().items()}
        state = {name.replace('patch_embed.stem', 'patch_embed'): value for name, value in state.items()}
        torch.save(dict(state_dict=state), tmp_path / 'swin.pth')
        tower['pretrained'] = str(tmp_path / 'swin.pth')
        encoder = CLIPEncoder(
            architecture=VIT, image=tower, pretrained=clip if text_too else None, quick_gelu=True)
        self.check(encoder, ('image.timm', 'text') if text_too else ('image.timm', ))

    def test_beit3(self, tmp_path):
        """Class token and positions are no modules."""
        path, _ = published(tmp_path)
        parts = ('patch_embedding', 'word_embedding', 'layers')
        norms = ('image_norm', 'text_norm')
        besides = ('class_token', 'image_positions', 'text_positions')
        for norm_last_stage in (True, False):
            encoder = BEiT3Encoder(
                architecture=copy.deepcopy(ARCHITECTURE),
                pretrained=path,
                joint_channels=24,
                norm_last_stage=norm_last_stage)
            self.check(encoder, (*parts, *norms, *besides) if norm_last_stage else (*parts, *besides))

    @pytest.mark.parametrize('masks', [False, True])
    def test_vilt(self, tmp_path, masks):
        """The type of masks is the image's, the map of their places is not ViLT's."""
        torch.save(vilt_files.published(), tmp_path / 'vilt.pth')
        encoder = TrimodalEncoder(
            architecture=toy_joint.ARCHITECTURE, taps=(1, 2), masks=masks, pretrained=str(tmp_path / 'vilt.pth'))
        modules = ('patch_embedding', 'word_embedding', 'text_norm', 'blocks', 'norm')
        own = ('class_token', 'text_positions', 'text_types', 'image_positions', 'token_types')
        self.check(encoder, (*modules, *own, 'mask_type') if masks else (*modules, *own))
        model = nn.Module()
        model.encoder, model.frozen = encoder, ('encoder', )
        places = ['encoder.mask_place.weight', 'encoder.mask_place.bias']
        assert find_uninitialized_frozen(model) == (places if masks else [])

    def test_nothing_named(self):
        assert CLIPEncoder(architecture=VIT).pretrained_parts == ()
        assert BEiT3Encoder(architecture=copy.deepcopy(ARCHITECTURE)).pretrained_parts == ()
