"""DETRIS's encoder: its adapters against their equations, what runs once an image, and what is trained."""

import copy
import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import Tensor, nn

from mmris.models.encoders import DETRISEncoder
from mmris.models.layers import DenseBlock, ImageAligner, TextAligner
from mmris.registry import MODELS
from mmris.structures import EncoderOutput, ExpressionBatch, ImageInputs
from tests.conftest import ROOT, assert_close
from tests.test_configs import batch_of, shrink

TEXT = dict(context_length=16, vocab_size=64, width=40, heads=2, layers=3)
SETTINGS = dict(
    architecture=dict(
        embed_dim=24, vision_cfg=dict(image_size=32, patch_size=16, width=32, head_width=16, layers=1), text_cfg=TEXT),
    quick_gelu=True,
    image=dict(
        type='DINOv2Tower', architecture=dict(layers=5, channels=32, heads=2, image_size=70), taps=(1, 3, 5)),
    image_adapter_blocks=(3, 5),
    image_adapter_channels=32,
    text_adapter_blocks=(1, 3),
    text_adapter_channels=16,
    attention_channels=24,
    attention_heads=3,
    text_length=12)
LENGTHS, IMAGE_INDEX = (7, 4, 9, 5, 3), (0, 0, 0, 1, 1)


def randomised(module: nn.Module) -> nn.Module:
    """With no weight left where it starts."""
    generator = torch.Generator().manual_seed(3)
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            drawn = torch.randn(value.shape, generator=generator)
            value.copy_(drawn.abs() + 0.5 if name.endswith('running_var') else 0.15 * drawn)
    return module


def encoder(**options: Any) -> DETRISEncoder:
    torch.manual_seed(0)
    return randomised(DETRISEncoder(**{**SETTINGS, **options}))


def images() -> ImageInputs:
    generator = torch.Generator().manual_seed(1)
    return ImageInputs(torch.randn(2, 3, 56, 42, generator=generator), torch.tensor([[0.0, 0, 42, 56]] * 2))


def expressions(length: int = 12) -> ExpressionBatch:
    generator = torch.Generator().manual_seed(2)
    token_mask = torch.arange(length) < torch.tensor(LENGTHS)[:, None]
    token_ids = torch.randint(1, 64, (5, 12), generator=generator)[:, :length]
    return ExpressionBatch(token_ids * token_mask, token_mask, torch.tensor(IMAGE_INDEX))


def encode(module: DETRISEncoder, pixels: ImageInputs, sentences: ExpressionBatch) -> EncoderOutput:
    image = module.encode_image(module.embed_image(pixels))
    return module.join(image, module.encode_text(module.embed_text(sentences)), sentences.image_index)


def convolve(layer: nn.Sequential, features: Tensor) -> Tensor:
    """A convolution with bias, a BatchNorm in evaluation mode, ReLU."""
    (weight, bias), norm = (layer[0].weight, layer[0].bias), layer[1]
    shape = (1, -1) + (1, ) * (features.dim() - 2)
    function = F.conv1d if features.dim() == 3 else F.conv2d
    found = function(features, weight, bias, padding=weight.size(-1) // 2)
    scale = norm.weight / (norm.running_var + 1e-3).sqrt()
    return ((found - norm.running_mean.view(shape)) * scale.view(shape) + norm.bias.view(shape)).clamp(min=0)


def dense(block: DenseBlock, features: Tensor) -> Tensor:
    one = convolve(block.one, features)
    three = convolve(block.three[1], convolve(block.three[0], torch.cat((features, one), dim=1)))
    five = convolve(block.five[1], convolve(block.five[0], torch.cat((features, one, three), dim=1)))
    return torch.cat((one, three, five), dim=1)


class TestAdapters:

    @pytest.mark.parametrize('dimensions, shape', [(1, (11, )), (2, (6, 5))])
    def test_dense_block(self, dimensions, shape):
        block = randomised(DenseBlock(32, dimensions)).double().eval()
        assert [part.shape[:2] for part in (block.one[0].weight, block.three[0][0].weight, block.three[1][0].weight,
                                            block.five[0][0].weight, block.five[1][0].weight)] == [
                                                (16, 32), (2, 48), (8, 2), (2, 56), (8, 2)]
        features = torch.randn(2, 32, *shape, dtype=torch.float64)
        assert_close(block(features), dense(block, features))

    def test_text(self):
        adapter = randomised(TextAligner(40, 16)).double().eval()
        words = torch.randn(2, 7, 40, dtype=torch.float64)
        hidden = adapter.down(words).clamp(min=0)
        rest = dense(adapter.dense, hidden[:, 1:].transpose(1, 2)).transpose(1, 2)
        # The start token's hidden vector counts twice: once instead of what the convolutions make of the others.
        expected = adapter.up(torch.cat((2 * hidden[:, :1], hidden[:, 1:] + rest), dim=1))
        assert_close(adapter(words), 0.2 * expected)

    def test_image(self):
        adapter = ImageAligner(32, 16, word_channels=40, shared_channels=24, num_heads=3)
        adapter = randomised(adapter).double().eval()
        tokens, words = torch.randn(2, 5 + 6, 32, dtype=torch.float64), torch.randn(2, 7, 40, dtype=torch.float64)
        hidden = adapter.down(tokens).clamp(min=0)
        pixels = hidden[:, 5:].transpose(1, 2).unflatten(2, (2, 3))
        mixed = (dense(adapter.dense, pixels) + pixels).flatten(2).transpose(1, 2)
        look = adapter.look_at_words
        published = nn.MultiheadAttention(24, 3, batch_first=True).double().eval()
        published.load_state_dict(look.attention.state_dict())
        keys = look.words_in(words)
        seen = look.out(published(look.patches_in(mixed), keys, keys)[0])
        expected = adapter.up(torch.cat((2 * hidden[:, :5], hidden[:, 5:] + seen), dim=1))
        assert_close(adapter(tokens, words, (2, 3)), 0.2 * expected)

    def test_nothing_starts_at_zero(self):
        torch.manual_seed(0)
        adapter = ImageAligner(512, 128, word_channels=512)
        for name, value in adapter.named_parameters():
            if value.dim() > 1:
                assert value.std() > 0.01, name
        maps = [module for module in adapter.modules() if isinstance(module, nn.Linear)]
        assert all(module.weight.std().item() == pytest.approx(0.02, rel=0.05) for module in maps) and len(maps) == 6
        weight = adapter.dense.five[1][0].weight
        assert weight.std().item() == pytest.approx((2 / (32 * 25))**0.5, rel=0.05)

    def test_widths(self):
        with pytest.raises(ValueError, match='channels of a DenseBlock must be a multiple of 16, but got 40'):
            DenseBlock(40, 2)


class TestEncoder:

    def test_blocks(self):
        """Adapters stand beside the MLPs: inside the second scale of DINOv2's, on the tokens themselves in CLIP's."""
        module, sentences = encoder().eval(), expressions()
        encoded = encode(module, images(), sentences)
        words = module.text.add_positions(module.embed_text(sentences))
        for index, block in enumerate(module.text.blocks):
            words = words + block.attention(block.ln_1(words), attn_mask=module.text.causal_mask(12))
            added = module.text_adapters[str(index)](words) if index in (0, 2) else 0
            words = words + block.mlp(block.ln_2(words)) + added
        words = module.text.clip.ln_final(words)
        assert_close(encoded.text.words, words)
        ends = words[torch.arange(5), torch.tensor(LENGTHS) - 1]
        assert_close(encoded.text.sentence, ends @ module.text.clip.text_projection)

        tokens = module.image.add_positions(module.embed_image(images()))[list(IMAGE_INDEX)]
        for index, block in enumerate(module.image.blocks):
            tokens = tokens + block.ls1(block.attn(block.norm1(tokens)))
            normed = block.norm2(tokens)
            added = module.image_adapters[str(index)](normed, words, (4, 3)) if index in (2, 4) else 0
            tokens = tokens + block.ls2(block.mlp(normed) + added)
            if index in (0, 2):
                assert_close(encoded.image.stages[index // 2], tokens[:, 5:].transpose(1, 2).unflatten(2, (4, 3)))
        last = module.image.norm(tokens)
        assert_close(encoded.image.stages[2], last[:, 5:].transpose(1, 2).unflatten(2, (4, 3)))
        assert_close(encoded.image.patches, last[:, 5:])
        assert_close(encoded.image.image_global, last[:, 0])

    @pytest.mark.parametrize('blocks', [(1, ), (3, 5), (2, 3, 4, 5), ()])
    def test_sentences_of_an_image_are_as_alone(self, blocks):
        module, pixels, sentences = encoder(image_adapter_blocks=blocks).eval(), images(), expressions()
        together = encode(module, pixels, sentences)
        for one, image in enumerate(IMAGE_INDEX):
            single = ExpressionBatch(
                sentences.token_ids[one:one + 1], sentences.token_mask[one:one + 1], torch.tensor([0]))
            alone = encode(module, pixels.select(torch.tensor([image])), single)
            row = together.image.select(together.image_index[one:one + 1])
            for mine, theirs in zip((*alone.image.stages, alone.image.patches, alone.text.words),
                                    (*row.stages, row.patches, together.text.words[one:one + 1])):
                assert_close(mine, theirs)

    def test_what_runs_once_an_image(self):
        module, rows = encoder().eval(), {}
        for index, block in enumerate(module.image.blocks):
            for name in ('attn', 'mlp'):
                getattr(block, name).register_forward_hook(
                    lambda module, inputs, output, place=(index, name): rows.setdefault(place, len(output)))
        encode(module, images(), expressions())
        once = {place for place, count in rows.items() if count == 2}
        assert once == {(index, name) for index in (0, 1, 2) for name in ('attn', 'mlp')}
        assert set(rows.values()) == {2, 5} and len(rows) == 10
        assert module.image_parts.keys() == {'image'} and module.image_parts['image'].modules == ('image', )

    def test_sentences_have_one_length(self):
        """Padding is read, so that they are padded alike however long they come."""
        module = encoder().eval()
        full, short = (encode(module, images(), expressions(length)) for length in (12, 9))
        assert full.text.token_mask.shape == short.text.token_mask.shape == (5, 12)
        assert torch.equal(full.text.words, short.text.words) and torch.equal(full.image.patches, short.image.patches)
        other = encode(encoder(text_length=9).eval(), images(), expressions(9))
        # Of the longest sentence, whose last words convolutions mix with padding; patches look at that in any case.
        assert (other.text.sentence - full.text.sentence)[2].abs().max() > 1e-5
        assert (other.image.patches - full.image.patches).abs().amax(dim=(1, 2)).min() > 1e-5
        with pytest.raises(ValueError, match='Sentences have 13 tokens, but text_length of DETRISEncoder is 12'):
            module.embed_text(ExpressionBatch(
                torch.ones(1, 13, dtype=torch.int64), torch.ones(1, 13, dtype=torch.bool), torch.tensor([0])))

    def test_activation_checkpointing(self):
        """The same gradients, and BatchNorms count each batch once."""
        found = []
        for activation_checkpointing in (False, True):
            module = encoder(activation_checkpointing=activation_checkpointing, dropout=0.0).train()
            encoded = encode(module, images(), expressions())
            (encoded.image.patches.square().sum() + encoded.text.sentence.sum()).backward()
            found.append(([value.grad for value in module.parameters()], dict(module.named_buffers())))
        (plain, buffers), (recomputed, others) = found
        assert all(one is other is None or torch.allclose(one, other, rtol=1e-4, atol=1e-4 * one.abs().max())
                   for one, other in zip(plain, recomputed))
        assert all(torch.equal(value, others[name]) for name, value in buffers.items())
        assert others['image_adapters.2.dense.one.1.num_batches_tracked'] == 1

    @pytest.mark.parametrize('options, message', [
        (dict(image=dict(type='TimmTower')), "takes a DINOv2Tower as image tower, but image has the type 'TimmTower'"),
        (dict(image=dict(SETTINGS['image'], joint_channels=24)), 'set joint_map=True of DETRISEncoder instead'),
        (dict(taps=(1, 3, 5)), "taps=.* are those of CLIP's image tower: set them in image"),
        (dict(image_adapter_blocks=(3, 6)),
         r'image_adapter_blocks of DETRISEncoder must be increasing numbers from 1 to 5, but got \(3, 6\)'),
        (dict(text_adapter_blocks='all'), "text_adapter_blocks .* numbers from 1 to 3, but got 'all'"),
        (dict(text_length=17), 'text_length of DETRISEncoder must be 2 to 16, the positions of the text tower'),
        (dict(text_length=1), 'text_length of DETRISEncoder must be 2 to 16'),
        (dict(text_adapter_channels=24), 'channels of a DenseBlock must be a multiple of 16, but got 24'),
    ])
    def test_errors(self, options, message):
        with pytest.raises(ValueError, match=message):
            DETRISEncoder(**{**SETTINGS, **options})


@pytest.fixture
def config() -> Config:
    return shrink(Config.fromfile(ROOT / 'configs/detris/vit-b_refcoco.py'))


def build(config: Config, **changes: Any) -> nn.Module:
    torch.manual_seed(0)
    return MODELS.build({**copy.deepcopy(config.model), **changes})


class TestTraining:

    def test_a_step(self, config, refer_set):
        """Towers stay bit for bit, statistics included; all else moves that the loss depends on."""
        model = build(config).train()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        optimiser = build_optim_wrapper(model, config.optim_wrapper)
        batch = model.data_preprocessor(batch_of(config.train_dataloader, refer_set, 'refs(unc).p'), True)
        optimiser.update_params(model.parse_losses(model(**batch, mode='loss'))[0])
        trained = {name for name, value in model.named_parameters() if value.requires_grad}
        moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
        frozen = {name for name in before if name.startswith(('encoder.image.', 'encoder.text.'))}
        assert not moved & frozen and not trained & frozen
        # Before a normalisation, a bias changes nothing: its gradient is zero, but for rounding.
        useless = {name for name in trained if re.search(r'\.dense\..*\.0\.bias$', name)}
        assert useless and trained - useless <= moved, trained - useless - moved
        assert all(name.endswith(('running_mean', 'running_var', 'num_batches_tracked')) for name in moved - trained)


class TestDistillation:
    """CM-MaskSD's branches by config alone."""

    BRANCHES = Config.fromfile(ROOT / 'configs/_base_/models/masked_distillation.py').distillation

    def test_branches_train(self, config, refer_set):
        config.model.encoder.joint_map = True
        config.model.neck.in_channels = (32, 32, 24)
        model = build(config, distillation=self.BRANCHES).train()
        batch = model.data_preprocessor(batch_of(config.train_dataloader, refer_set, 'refs(unc).p'), True)
        losses = model(**batch, mode='loss')
        assert losses['loss_lmvsd'] > 0 and losses['loss_vmlsd'] > 0
        model.parse_losses(losses)[0].backward()
        for name, value in model.named_parameters():
            assert (value.grad is not None) == value.requires_grad, name
        assert model.distillation['lmvsd'].mask_token.grad.any() and model.encoder.joint_map.weight.grad.any()

    def test_without_a_joint_space(self, config, refer_set):
        model = build(config, distillation=self.BRANCHES).train()
        batch = model.data_preprocessor(batch_of(config.train_dataloader, refer_set, 'refs(unc).p'), True)
        message = 'in a joint space, but the encoder has none: its patches are 32 wide, its sentence 24. Set joint_map'
        with pytest.raises(ValueError, match=f'CorrelationFilter compares image and sentence {message}'):
            model(**batch, mode='loss')
        alignment = dict(alignment=dict(type='PatchTextAlignmentLoss'))
        with pytest.raises(ValueError, match=f'PatchTextAlignmentLoss compares image and sentence {message}'):
            build(config, auxiliary_losses=alignment)(**batch, mode='loss')
