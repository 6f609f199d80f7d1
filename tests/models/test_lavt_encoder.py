"""LAVT's encoder: where the words enter, what runs once an image, and what is trained."""

import copy
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmris.models.encoders import LAVTEncoder
from mmris.registry import MODELS
from mmris.structures import EncoderOutput, ExpressionBatch, ImageInputs
from tests.conftest import ROOT, assert_close
from tests.test_configs import batch_of, shrink

SETTINGS = dict(
    image=dict(
        type='PaddedSwin',
        architecture=dict(layers=(2, 2, 2), channels=12, heads=(1, 2, 4), window=4),
        drop_path=0.0),
    text=dict(
        type='BERTTextTower',
        architecture=dict(layers=2, channels=16, heads=2, vocabulary=64, text_positions=12),
        dropout=0.0))
LENGTHS, IMAGE_INDEX = (7, 4, 9, 5, 3), (0, 0, 0, 1, 1)


def encoder(**options: Any) -> LAVTEncoder:
    """In double precision, with no weight left where it starts."""
    torch.manual_seed(0)
    built = LAVTEncoder(**{**copy.deepcopy(SETTINGS), **options}).double()
    with torch.no_grad():
        for value in built.parameters():
            value.add_(0.2 * torch.randn_like(value))
    return built


def images() -> ImageInputs:
    pixels = torch.randn(2, 3, 64, 48, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return ImageInputs(pixels, torch.tensor([[0.0, 0, 48, 64], [0.0, 0, 48, 32]]))


def expressions() -> ExpressionBatch:
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    ids = torch.randint(1, 64, mask.shape, generator=torch.Generator().manual_seed(2))
    return ExpressionBatch(ids * mask, mask, torch.tensor(IMAGE_INDEX))


def encode(module: LAVTEncoder, pixels: ImageInputs, sentences: ExpressionBatch) -> EncoderOutput:
    image = module.look_at_images(pixels)[1]
    return module.join(image, module.encode_text(module.embed_text(sentences)), sentences.image_index)


def weighted_sum(encoded: EncoderOutput) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return sum((torch.randn(value.shape, dtype=value.dtype, generator=generator) * value).sum()
               for value in (*encoded.image.stages, encoded.image.image_global))


class TestJoining:

    def test_one_sentence_written_out(self):
        """Each stage is changed by its words before the next; what is given on is neither pixels nor their sum."""
        module, pixels, sentences = encoder().eval(), images(), expressions()
        found = encode(module, pixels, sentences)
        swin, words = module.image, found.text.words
        cells = swin.run_stage(0, swin.stem(pixels.pixels))[[1]]
        mask, index = sentences.token_mask[3:4], torch.tensor([0])
        for stage in range(3):
            gathered = module.attentions[stage](cells, words[3:4], mask, index)
            normed = nn.functional.layer_norm(
                gathered[0].flatten(1).T, gathered.shape[1:2], module.norms[stage].weight, module.norms[stage].bias)
            assert_close(found.image.stages[stage][3].flatten(1).T, normed, 1e-10)
            if stage < 2:
                first, second = (module.gates[stage][layer].weight.flatten(1) for layer in (0, 2))
                gate = (second @ (first @ gathered[0].flatten(1)).clamp(min=0)).tanh().view(gathered.shape)
                cells = swin.run_stage(stage + 1, swin.merge(stage, cells + gate * gathered))
        assert torch.equal(found.image.patches.transpose(1, 2), found.image.stages[2].flatten(2))
        assert found.image_index.tolist() == [0, 1, 2, 3, 4] and len(module.gates) == 2

    def test_an_image_asked_often_is_as_many_images(self):
        """Values, and gradients of all weights."""
        module, pixels, sentences = encoder(), images(), expressions()
        together = encode(module, pixels, sentences)
        weighted_sum(together).backward()
        gradients = {name: value.grad.clone() for name, value in module.named_parameters()
                     if value.grad is not None}
        module.zero_grad()
        rows = torch.tensor(IMAGE_INDEX)
        alone = encode(module, pixels.select(rows), ExpressionBatch(
            sentences.token_ids, sentences.token_mask, torch.arange(5)))
        for mine, other in zip((*together.image.stages, together.image.patches, together.image.image_global),
                               (*alone.image.stages, alone.image.patches, alone.image.image_global)):
            assert_close(mine, other, 1e-10)
        weighted_sum(alone).backward()
        for name, value in module.named_parameters():
            if value.grad is not None:
                assert (value.grad - gradients[name]).abs().max() < 1e-9 * max(1, value.grad.abs().max()), name

    def test_padding_has_no_part(self):
        module, sentences = encoder().eval(), expressions()
        other = ExpressionBatch(
            torch.where(sentences.token_mask, sentences.token_ids, 5), sentences.token_mask, sentences.image_index)
        one, two = (encode(module, images(), given).image for given in (sentences, other))
        assert all(torch.equal(*pair) for pair in zip(one.stages, two.stages))

    def test_the_whole_image_is_the_mean_of_what_holds_image(self):
        """The second image fills the upper half of its input."""
        found = encode(encoder().eval(), images(), expressions()).image
        assert_close(found.image_global[0], found.patches[0].mean(dim=0))
        assert_close(found.image_global[3], found.stages[-1][3, :, :2].mean(dim=(1, 2)))

    def test_what_runs_once_an_image(self):
        module, rows = encoder().eval(), {}
        parts = [*module.image.layers, *(part for attention in module.attentions for part in attention.children())]
        for number, part in enumerate(parts):
            inner = part.blocks[0] if hasattr(part, 'blocks') else part
            inner.register_forward_hook(lambda _, __, output, number=number: rows.__setitem__(number, len(output)))
        encode(module, images(), expressions())
        # Of three stages the first; then query, words, gathered, pixels and output of each attention.
        once = [number for number, count in rows.items() if count == 2]
        assert sorted(once) == [0, 3, 6] and set(rows.values()) == {2, 5} and len(rows) == 18
        assert module.image_parts['image'].modules == ('image.patch_embed', 'image.layers.0.blocks')

    def test_joint_map(self):
        module = encoder(joint_map=True).eval()
        found = encode(module, images(), expressions())
        assert [stage.size(1) for stage in found.image.stages] == [12, 24, 16]
        assert found.image.patches.size(2) == found.text.words_joint.size(2) == found.image.image_global.size(1) == 16
        plain = encoder().eval()
        plain.load_state_dict({name: value for name, value in module.state_dict().items() if 'joint_map' not in name})
        patches = encode(plain, images(), expressions()).image.patches
        assert_close(found.image.patches, patches @ module.joint_map.weight.T, 1e-10)


class TestForm:

    def test_activation_checkpointing(self):
        found = []
        for activation_checkpointing in (False, True):
            module = encoder(activation_checkpointing=activation_checkpointing).train()
            assert module.image.activation_checkpointing == module.text.activation_checkpointing
            assert module.image.activation_checkpointing == activation_checkpointing
            weighted_sum(encode(module, images(), expressions())).backward()
            found.append([value.grad for value in module.parameters()])
        assert all(one is other is None or torch.equal(one, other) for one, other in zip(*found))

    def test_every_weight_learns(self):
        """None is dead: DDP would stop at it."""
        module = encoder(joint_map=True).train()
        weighted_sum(encode(module, images(), expressions())).backward()
        assert [name for name, value in module.named_parameters() if value.grad is None or not value.grad.any()] == []

    def test_pretrained_parts(self):
        image, text = (dict(SETTINGS[name], pretrained=f'{name}.pth') for name in ('image', 'text'))
        assert encoder().pretrained_parts == ()
        assert encoder(image=image, text=text).pretrained_parts == (
            'image.patch_embed', 'image.layers', 'text.word_embedding', 'text.positions', 'text.types', 'text.norm',
            'text.layers')

    @pytest.mark.parametrize('options, message', [
        (dict(image=dict(type='TimmTower')), "image of LAVTEncoder must be a PaddedSwin, but has the type 'TimmTower'"),
        (dict(text=dict(type='PaddedSwin')), "text of LAVTEncoder must be a BERTTextTower, but has the type 'PaddedSw"),
        (dict(text=dict()), 'text of LAVTEncoder must be a BERTTextTower, but has the type None'),
    ])
    def test_errors(self, options, message):
        with pytest.raises(ValueError, match=message):
            encoder(**options)

    def test_size_of_the_input(self):
        pixels = ImageInputs(torch.zeros(1, 3, 40, 48, dtype=torch.float64), torch.zeros(1, 4))
        with pytest.raises(ValueError, match='is 40 x 48 pixels .* but must be a multiple of 16 x 16'):
            encoder().embed_image(pixels)

    def test_a_single_cell(self):
        """InstanceNorm of PyTorch refuses it, in evaluation too."""
        pixels = ImageInputs(torch.zeros(1, 3, 16, 16, dtype=torch.float64), torch.zeros(1, 4))
        with pytest.raises(ValueError, match='last stage of Swin one cell, .*main.size in the config to 32 '):
            encoder().embed_image(pixels)


@pytest.fixture
def config() -> Config:
    return shrink(Config.fromfile(ROOT / 'configs/lavt/swin-b_refcoco.py'))


def build(config: Config, **changes: Any) -> nn.Module:
    torch.manual_seed(0)
    return MODELS.build({**copy.deepcopy(config.model), **changes})


class TestTraining:

    def test_a_step(self, config, refer_set):
        """All that the published optimiser holds moves; the rest stays bit for bit."""
        model = build(config).train()
        before = {name: value.clone() for name, value in model.named_parameters()}
        optimiser = build_optim_wrapper(model, config.optim_wrapper)
        batch = model.data_preprocessor(batch_of(config.train_dataloader, refer_set, 'refs(unc).p'), True)
        optimiser.update_params(model.parse_losses(model(**batch, mode='loss'))[0])
        stayed = {name for name, value in model.named_parameters() if torch.equal(value, before[name])}
        text = {name for name in before if name.startswith('encoder.text.')}
        assert stayed and stayed <= text
        trained = {name for name in text if name.startswith('encoder.text.layers.') and name.split('.')[3] in '01'}
        assert stayed == text - trained and trained

    def test_frozen_parts(self, config, refer_set):
        model = build(config, frozen=['encoder.image.patch_embed', 'encoder.image.layers.0', 'encoder.text']).train()
        assert not model.encoder.image.layers[0].training and model.encoder.image.layers[1].training
        batch = model.data_preprocessor(batch_of(config.train_dataloader, refer_set, 'refs(unc).p'), True)
        model.parse_losses(model(**batch, mode='loss'))[0].backward()
        for name, value in model.named_parameters():
            frozen = name.startswith(('encoder.image.patch_embed.', 'encoder.image.layers.0.', 'encoder.text.'))
            assert (value.grad is None) == frozen, name


class TestDistillation:
    """CM-MaskSD's branches by config alone."""

    def test_branches_train(self, refer_set):
        config = shrink(Config.fromfile(ROOT / 'configs/cm_masksd/lavt_refcoco.py'))
        model = build(config).train()
        batch = model.data_preprocessor(batch_of(config.train_dataloader, refer_set, 'refs(unc).p'), True)
        losses = model(**batch, mode='loss')
        assert losses['loss_lmvsd'] > 0 and losses['loss_vmlsd'] > 0
        model.parse_losses(losses)[0].backward()
        assert [name for name, value in model.named_parameters() if value.grad is None] == []
        assert model.distillation['lmvsd'].mask_token.grad.any() and model.encoder.joint_map.weight.grad.any()

    def test_without_a_joint_space(self, config, refer_set):
        branches = Config.fromfile(ROOT / 'configs/_base_/models/masked_distillation.py').distillation
        model = build(config, distillation=branches).train()
        batch = model.data_preprocessor(batch_of(config.train_dataloader, refer_set, 'refs(unc).p'), True)
        with pytest.raises(ValueError, match='CorrelationFilter compares image and sentence in a joint space, but the '
                                             'encoder has none.* Set joint_map=True of DETRISEncoder or LAVTEncoder'):
            model(**batch, mode='loss')
