"""What follows RISCLIP's encoder, against plain ones, and the gradients of its two stages of training."""

from dataclasses import replace

import pytest
import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmris.models.decoders import LAVTDecoder
from mmris.models.heads import ConvolutionHead, CosineHead
from mmris.models.necks import JointSpaceNeck
from mmris.structures import EncoderOutput, ImageFeatures, TextFeatures
from tests.conftest import ROOT, assert_close
from tests.models import plain_risclip
from tests.models.test_risclip_encoder import assert_all_close, batch, of_one, randomised, samples, segmentor

JOINT, LENGTH, IMAGE_INDEX, GRID = 6, 4, (1, 0, 1), (3, 5)
EXPRESSIONS = range(len(IMAGE_INDEX))
# Widths and grids of stages, from shallow to deep.
VIT = ((7, GRID), (8, GRID), (9, GRID), (10, GRID))
PYRAMID = ((7, (12, 20)), (8, (6, 10)), (9, GRID))
# Of a Swin, whose odd grids are padded before they are halved.
ODD_PYRAMID = ((7, (11, 18)), (8, (6, 9)), (9, GRID))
ONE = ((9, GRID), )


def encoded(stages: tuple = VIT) -> EncoderOutput:
    """Three expressions about two images."""
    return EncoderOutput(
        image=ImageFeatures(
            stages=tuple(torch.randn(2, width, *grid) for width, grid in stages),
            patches=torch.randn(2, GRID[0] * GRID[1], JOINT),
            image_global=torch.randn(2, JOINT)),
        text=TextFeatures(
            words=torch.randn(3, LENGTH, 5),
            words_joint=torch.randn(3, LENGTH, JOINT),
            sentence=torch.randn(3, JOINT),
            token_mask=torch.arange(LENGTH) < torch.tensor([4, 2, 3])[:, None]),
        image_index=torch.tensor(IMAGE_INDEX))


def decoder(stages: tuple, patch_map: bool) -> LAVTDecoder:
    return LAVTDecoder(in_channels=[width for width, _ in stages], channels=12, patch_map=patch_map)


def cosines(features: EncoderOutput, one: int) -> torch.Tensor:
    return plain_risclip.cosine_map(features.image.patches[IMAGE_INDEX[one]], features.text.sentence[one])


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


class TestJointSpaceNeck:

    @pytest.mark.parametrize('with_stages', [True, False])
    def test_hands_on_a_row_for_each_expression(self, with_stages):
        features = encoded()
        fused = JointSpaceNeck(with_stages=with_stages)(features)
        for name, theirs in (('words', features.text.words_joint), ('sentence', features.text.sentence),
                             ('token_mask', features.text.token_mask)):
            assert torch.equal(getattr(fused, name), theirs)
        assert len(fused.stages) == (4 if with_stages else 0)
        for one in EXPRESSIONS:
            patches = features.image.patches[IMAGE_INDEX[one]]
            assert torch.equal(fused.pixels[one], plain_risclip.as_map(patches, GRID[0]))
            for mine, stage in zip(fused.stages, features.image.stages):
                assert torch.equal(mine[one], stage[IMAGE_INDEX[one]])


class TestCosineHead:

    def test_against_the_plain_one(self):
        head, features = CosineHead(scale=3.0, bias=-0.4), encoded()
        logits = head(JointSpaceNeck()(features))
        assert logits.shape == (3, 1, *GRID)
        for one in EXPRESSIONS:
            assert_close(logits[one, 0].flatten(), 3 * cosines(features, one) - 0.4)

    def test_standardised(self):
        head, features = CosineHead(scale=3.0, bias=-0.4, standardise=True), encoded()
        logits = head(JointSpaceNeck()(features))
        for one in EXPRESSIONS:
            cosine = cosines(features, one)
            centred = cosine - cosine.mean()
            assert_close(logits[one, 0].flatten(), 3 * centred / centred.square().mean().sqrt() - 0.4)

    def test_standardised_where_all_pixels_are_alike(self):
        fused = JointSpaceNeck()(encoded())
        pixels = fused.pixels[:, :, :1, :1].expand(-1, -1, *GRID).clone().requires_grad_()
        logits = CosineHead(standardise=True)(replace(fused, pixels=pixels))
        logits.sum().backward()
        assert logits.abs().max() < 1 and pixels.grad.isfinite().all()

    def test_in_half_precision_it_compares_in_full(self):
        fused = JointSpaceNeck()(encoded())
        half = replace(fused, pixels=fused.pixels.bfloat16(), sentence=fused.sentence.bfloat16())
        full = replace(half, pixels=half.pixels.float(), sentence=half.sentence.float())
        assert torch.equal(CosineHead()(half), CosineHead()(full))

    def test_scale_and_bias_are_trained_from_where_they_begin(self):
        head = CosineHead()
        assert head.log_scale.exp().item() == pytest.approx(1 / 0.07) and head.bias == 0
        head(JointSpaceNeck()(encoded())).square().sum().backward()
        assert head.log_scale.grad and head.bias.grad

    @pytest.mark.parametrize('scale', [0.0, -1.0])
    def test_scale_that_is_not_positive(self, scale):
        with pytest.raises(ValueError, match=f'scale of CosineHead must be positive, but got {scale}'):
            CosineHead(scale=scale)


class TestConvolutionHead:

    @pytest.mark.parametrize('upsample', [1, 2, 4])
    def test_before_or_after_upsampling(self, upsample):
        """A 1x1 convolution of the upsampled pixels, at all channels, is the same."""
        head = randomised(ConvolutionHead(channels=JOINT, upsample=upsample))
        fused = JointSpaceNeck()(encoded())
        logits = head(fused)
        height, width = GRID[0] * upsample, GRID[1] * upsample
        assert logits.shape == (3, 1, height, width)
        weight, bias = head.convolution.weight[0, :, 0, 0], head.convolution.bias
        for one in EXPRESSIONS:
            pixels = plain_risclip.upsampled(fused.pixels[one], height, width)
            assert_close(logits[one, 0], torch.einsum('c,chw->hw', weight, pixels) + bias)

    @pytest.mark.parametrize('upsample', [0, -2])
    def test_upsample_below_one(self, upsample):
        with pytest.raises(ValueError, match=f'upsample of ConvolutionHead must be at least 1, but got {upsample}'):
            ConvolutionHead(channels=JOINT, upsample=upsample)


class TestLAVTDecoder:

    @pytest.mark.parametrize('patch_map', [True, False])
    @pytest.mark.parametrize('stages', [VIT, PYRAMID, ODD_PYRAMID, ONE], ids=['ViT', 'pyramid', 'odd pyramid', 'one'])
    def test_against_the_plain_one(self, stages, patch_map):
        module, features = randomised(decoder(stages, patch_map), 0.3).eval(), encoded(stages)
        fused = JointSpaceNeck(with_stages=True)(features)
        decoded = module(fused)
        growth = 2**(len(stages) - 1)
        assert decoded.pixels.shape == (3, 12, GRID[0] * growth, GRID[1] * growth)
        assert decoded.stages == ()
        assert decoded.sentence is fused.sentence and decoded.words is fused.words
        for one in EXPRESSIONS:
            own = [stage[IMAGE_INDEX[one]] for stage in features.image.stages]
            maps = [cosines(features, one).unflatten(0, GRID)] if patch_map else []
            assert_close(decoded.pixels[one], plain_risclip.decode(module.state_dict(), own, maps))

    @pytest.mark.parametrize('patch_map', [True, False])
    def test_every_parameter_gets_a_gradient(self, patch_map):
        model = nn.Sequential(decoder(VIT, patch_map), ConvolutionHead(channels=12, upsample=2)).train()
        model(JointSpaceNeck(with_stages=True)(encoded())).square().sum().backward()
        assert [name for name, value in model.named_parameters() if not value.grad.any()] == []

    def test_no_stages(self):
        with pytest.raises(ValueError, match='in_channels of LAVTDecoder must name the width of at least one stage'):
            LAVTDecoder(in_channels=())

    @pytest.mark.parametrize('with_stages, count', [(True, 4), (False, 0)])
    def test_other_stages_than_widths(self, with_stages, count):
        fused = JointSpaceNeck(with_stages=with_stages)(encoded())
        with pytest.raises(ValueError, match=f'LAVTDecoder takes 3 stages, but the neck gave {count}: set taps .* and '
                           'with_stages=True of JointSpaceNeck'):
            decoder(PYRAMID, False)(fused)

    def test_a_map_on_another_grid(self):
        fused = JointSpaceNeck(with_stages=True)(encoded())
        fused = replace(fused, stages=(*fused.stages[:-1], torch.randn(3, 10, 2, 4)))
        with pytest.raises(ValueError, match='map of LAVTDecoder lies on 3 x 5 cells, the deepest stage on 2 x 4'):
            decoder(VIT, True)(fused)


class TestGradients:

    @staticmethod
    def backward(model: nn.Module) -> None:
        losses = model.loss(batch(), samples())
        assert set(losses) == {'loss_focal', 'loss_dice'}
        assert all(loss.isfinite() for loss in losses.values())
        sum(losses.values()).backward()

    @pytest.mark.parametrize('decoder, trained', [(False, ('encoder.image_adapters', 'encoder.text_adapters',
                                                           'encoder.cfe', 'encoder.ske', 'head')),
                                                  (True, ('decoder', 'head'))])
    @pytest.mark.parametrize('cfe_blocks', ['all', (3, 4)])
    def test_what_is_trained_gets_one_and_nothing_else(self, decoder, trained, cfe_blocks):
        model = randomised(segmentor(decoder, cfe_blocks=cfe_blocks)).train()
        self.backward(model)
        names = {name for name, _ in model.named_parameters()}
        expected = {name for name in names if name.startswith(trained)}
        assert {prefix for prefix in trained if any(name.startswith(prefix) for name in names)} == set(trained)
        assert {name for name, value in model.named_parameters() if value.grad is not None} == expected
        assert [name for name, value in model.named_parameters() if name in expected and not value.grad.any()] == []

    def test_a_new_model_begins_to_learn(self):
        """No part is closed off by another that starts at zero: what ends it gets a gradient at once."""
        model = segmentor().train()
        self.backward(model)
        trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
        ends = ('up.weight', 'shared_to_image.weight', 'shared_to_words.weight', 'mlp_out.weight',
                'attention.out.weight')
        zero = [value for name, value in trained.items() if name.endswith(ends) and not value.any()]
        assert len(zero) == 4 * (2 * 2 + 2) + 2 * (2 * 3)
        assert all(value.grad.any() for value in zero)

    def test_mixed_precision(self):
        for decoder in (False, True):
            model = randomised(segmentor(decoder)).train()
            with torch.autocast('cpu', dtype=torch.bfloat16):
                losses = model.loss(batch(), samples())
            sum(losses.values()).backward()
            assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())
            assert all(value.grad.isfinite().all() for value in model.parameters() if value.grad is not None)

    def test_activation_checkpointing_keeps_less_and_gives_the_same(self):
        found, kept = [], []
        for activation_checkpointing in (False, True):
            torch.manual_seed(0)
            model = randomised(segmentor(activation_checkpointing=activation_checkpointing)).train()
            sizes = []

            def note(saved: Tensor, sizes: list = sizes) -> Tensor:
                sizes.append(saved.numel())
                return saved

            with torch.autograd.graph.saved_tensors_hooks(note, lambda saved: saved):
                losses = model.loss(batch(), samples())
            sum(losses.values()).backward()
            found.append({name: value.grad for name, value in model.named_parameters() if value.requires_grad})
            kept.append(sum(sizes))
        assert found[0].keys() == found[1].keys()
        for name, gradient in found[0].items():
            assert torch.equal(gradient, found[1][name]), name
        assert kept[1] < kept[0] / 2

    @torch.no_grad()
    def test_activation_checkpointing_predicts_the_same(self):
        plain, checkpointed = (
            randomised(segmentor(activation_checkpointing=activation_checkpointing)).eval()
            for activation_checkpointing in (False, True))
        checkpointed.load_state_dict(plain.state_dict())
        assert torch.equal(plain.encode_decode(batch()), checkpointed.encode_decode(batch()))


class TestMaskedDistillation:

    @pytest.mark.parametrize('cfe_blocks', ['all', (3, 4), ()])
    @pytest.mark.parametrize('share_weights', [True, False])
    def test_a_replay(self, cfe_blocks, share_weights):
        """With nothing masked it gives what the main branch gave; else its mask token learns."""
        branches = Config.fromfile(ROOT / 'configs/_base_/models/masked_distillation.py').distillation
        for branch in branches.values():
            branch.update(share_weights=share_weights, mask_ratio=0.5)
        model = segmentor(distillation=branches, cfe_blocks=cfe_blocks)
        model = randomised(model).train()
        for name, branch in model.distillation.items():
            losses = model.loss(batch(), samples())
            assert losses[f'loss_{name}'].isfinite()
            model.zero_grad()
            losses[f'loss_{name}'].backward()
            assert branch.mask_token.grad.any() and branch.mask_token.grad.isfinite().all()
            branch.mask_ratio = 0
            main = model.main_pass(batch())
            replayed = branch.replay(main, model.encoder, branch.draw(branch.select(main)))
            for one in range(len(main.image_index)):
                assert_all_close(of_one(replayed, one), of_one(main.encoded, one))
