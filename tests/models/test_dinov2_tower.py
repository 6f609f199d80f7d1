"""DINOv2 as an image tower, against timm's own model."""

import pytest
import timm
import torch
import torch.nn.functional as F

from mmris.checkpoints.published.dinov2 import TIMM_KEY_MAP
from mmris.models.encoders import CLIPEncoder, DINOv2Tower
from mmris.models.layers import resize_positions
from mmris.structures import ImageEmbeddings, ImageInputs
from tests.conftest import assert_close

MEASURES = dict(layers=4, channels=32, heads=2, image_size=70)


def tower(**options) -> DINOv2Tower:
    """With no weight left where it starts."""
    torch.manual_seed(0)
    built = DINOv2Tower(**{**dict(architecture=MEASURES, taps=(2, 3, 4)), **options})
    with torch.no_grad():
        for value in built.parameters():
            value.normal_(0, 0.2)
    return built


def images(count: int, height: int, width: int) -> ImageInputs:
    generator = torch.Generator().manual_seed(1)
    box = torch.tensor([[0.0, 0.0, width, height]]).repeat(count, 1)
    return ImageInputs(torch.randn(count, 3, height, width, generator=generator), box)


class TestAgainstTimm:

    def test_features_at_its_own_grid(self):
        theirs = timm.create_model(
            'vit_base_patch14_reg4_dinov2', img_size=70, embed_dim=32, depth=4, num_heads=2).double().eval()
        generator = torch.Generator().manual_seed(2)
        with torch.no_grad():
            for value in theirs.parameters():
                value.copy_(0.2 * torch.randn(value.shape, generator=generator))
        mine = DINOv2Tower(architecture=MEASURES, taps=(2, 3, 4)).double().eval()
        mine.load_state_dict(TIMM_KEY_MAP.to_ours(theirs.state_dict(), 'timm'))
        inputs = images(2, 70, 70)
        features = mine.encode(mine.embed(ImageInputs(inputs.pixels.double(), inputs.box)))
        last, stages = theirs.forward_intermediates(inputs.pixels.double(), indices=[1, 2])
        for mine_stage, their_stage in zip(features.stages, stages):
            assert_close(mine_stage, their_stage)
        assert_close(features.patches, last[:, 5:])
        assert_close(features.image_global, last[:, 0])
        assert torch.equal(features.stages[2], features.patches.transpose(1, 2).unflatten(2, (5, 5)))

    @pytest.mark.parametrize('name, timms', [('base', 'vit_base_patch14_reg4_dinov2'),
                                             ('large', 'vit_large_patch14_reg4_dinov2')])
    def test_sizes(self, name, timms):
        """All but the class token's position, which timm has added to the token."""
        with torch.device('meta'):
            mine = DINOv2Tower(architecture=name)
            theirs = timm.create_model(timms)
        count = sum(value.numel() for value in mine.parameters())
        assert count == sum(value.numel() for value in theirs.parameters()) + mine.cell_channels
        assert mine.taps == ((4, 8, 12) if name == 'base' else (8, 16, 24))


class TestPositions:

    def test_resized_as_published(self):
        """By the scale that DINOv2's code computes, which is not that of the sizes."""
        positions = torch.randn(37 * 37, 8, dtype=torch.float64)
        found = resize_positions(positions, (37, 37), (32, 30), mode='bicubic_offset')
        image = positions.T.reshape(1, 8, 37, 37)
        expected = F.interpolate(image, scale_factor=((32 + 0.1) / 37, (30 + 0.1) / 37), mode='bicubic')
        assert expected.shape[2:] == (32, 30)
        assert torch.equal(found, expected.flatten(2)[0].T)
        assert (found - resize_positions(positions, (37, 37), (32, 30))).abs().max() > 1e-3
        assert resize_positions(positions, (37, 37), (37, 37), mode='bicubic_offset') is positions

    @pytest.mark.parametrize('side', range(1, 75))
    def test_every_grid(self, side):
        """The tenth is too little to change a size."""
        found = resize_positions(torch.zeros(37 * 37, 1), (37, 37), (side, 2), mode='bicubic_offset')
        assert len(found) == 2 * side

    def test_cells_have_none(self):
        """Equal patches are equal cells, at different places different tokens; a replaced cell keeps its place."""
        encoder = tower()
        pixels = torch.randn(1, 3, 14, 14).repeat(1, 1, 4, 4)
        embeddings = encoder.embed(ImageInputs(pixels, torch.tensor([[0.0, 0, 56, 56]])))
        assert_close(embeddings.cells, embeddings.cells[..., :1, :1].expand(-1, -1, 4, 4))
        tokens = encoder.add_positions(embeddings)
        assert tokens.shape == (1, 1 + 4 + 16, 32)
        other = ImageEmbeddings(cells=embeddings.cells + 1, inside=embeddings.inside)
        assert_close(encoder.add_positions(other)[:, 5:] - tokens[:, 5:], torch.ones(1, 16, 32))
        assert torch.equal(tokens[0, 1:5], encoder.register_tokens[0])
        assert torch.equal(tokens[0, 0], encoder.class_token[0, 0] + encoder.positions[0, 0])


class TestAsATower:

    def test_of_clip(self):
        """It gets the joint space's width, and the map learns with what follows."""
        architecture = dict(
            embed_dim=24,
            vision_cfg=dict(image_size=32, patch_size=16, width=32, head_width=16, layers=1),
            text_cfg=dict(context_length=12, vocab_size=64, width=40, heads=2, layers=2))
        torch.manual_seed(0)
        encoder = CLIPEncoder(
            architecture=architecture, image=dict(type='mmris.DINOv2Tower', architecture=MEASURES, taps=(2, 3, 4)))
        features = encoder.encode_image(encoder.embed_image(images(2, 56, 42)))
        assert [stage.shape[1:] for stage in features.stages] == [(32, 4, 3), (32, 4, 3), (24, 4, 3)]
        assert features.patches.shape == (2, 12, 24) and features.image_global.shape == (2, 24)
        features.stages[-1].sum().backward()
        assert encoder.image.projection.weight.grad.any()

    def test_activation_checkpointing(self):
        gradients = []
        for activation_checkpointing in (False, True):
            encoder = tower(activation_checkpointing=activation_checkpointing)
            features = encoder.encode(encoder.embed(images(2, 56, 42)))
            sum(stage.square().sum() for stage in features.stages).backward()
            gradients.append([value.grad for value in encoder.parameters()])
        for plain, recomputed in zip(*gradients):
            assert torch.equal(plain, recomputed) and plain.any()

    @pytest.mark.parametrize('options, message', [
        (dict(architecture='giant'), "architecture 'giant' is no DINOv2. Known: base, large"),
        (dict(architecture=dict(MEASURES, depth=4)), 'entries that DINOv2 has not: depth. It takes name, layers'),
        (dict(architecture=dict(MEASURES, heads=5)), 'channels of the architecture must be a multiple of heads'),
        (dict(architecture=dict(MEASURES, image_size=71)), 'image_size .* must be a multiple of patch_size'),
        (dict(architecture=dict(MEASURES, registers=0)), 'registers of the architecture must be a whole number'),
        (dict(taps=(2, 3)), 'taps must increase, begin at 1 or later, and end at the last of 4 blocks'),
        (dict(taps=4), 'taps of DINOv2Tower must be whole numbers in a list'),
        (dict(architecture=dict(MEASURES, layers=2), taps=None), 'tower of 2 blocks has no default taps'),
    ])
    def test_errors(self, options, message):
        with pytest.raises(ValueError, match=message):
            DINOv2Tower(**{**dict(architecture=MEASURES, taps=(2, 3, 4)), **options})

    def test_input_size(self):
        with pytest.raises(ValueError, match='input is 56 x 50 pixels .* must be a multiple of 14 x 14'):
            tower().embed(images(1, 56, 50))
