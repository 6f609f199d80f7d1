"""EVF-SAM's encoder, with SAM 1 and with SAM 2: what is computed how often, what is trained, where patches lie."""

import pytest
import torch
from torch import nn

from mmris.models.distillation import target_patches
from mmris.models.encoders import EVFSAMEncoder
from mmris.models.encoders.evf_sam import region_of_view
from mmris.models.layers import mask_coverage
from mmris.registry import MODELS
from mmris.structures import ImageView
from mmris.utils import is_part
from tests.models.toy_evf_sam import BRANCHES, CONFIG, SAM2_CONFIG, batch, build_model, truths

IDLE_HEAD = ('head.mask_mlps.1.', 'head.mask_mlps.2.', 'head.mask_mlps.3.', 'head.quality_mlp.', 'head.object_mlp.')
# Nothing reads the words after the last layer: they only give keys and values there.
IDLE_WORDS = tuple(
    f'encoder.joint.{name}' for name in ('layers.2.text.query.', 'layers.2.text.inner_norm.',
                                         'layers.2.text.output.', 'layers.2.text.feedforward', 'text_norm.'))


@pytest.fixture(params=[CONFIG, SAM2_CONFIG], ids=['SAM 1', 'SAM 2'])
def config(request) -> dict:
    return request.param


def count_rows(module: nn.Module) -> list:
    """A list that gets the number of rows at each call of a module."""
    rows = []
    module.register_forward_hook(lambda _, given, __: rows.append(len(given[0])))
    return rows


def total_loss(model, inputs):
    return model.parse_losses(model.loss(inputs, truths(inputs)))[0]


class TestOnce:

    @torch.no_grad()
    def test_an_image_for_all_its_sentences(self, config):
        model, inputs = build_model(config).eval(), batch()
        rows = count_rows(model.encoder.segmenter)
        model.encode_decode(inputs)
        assert rows == [2]

    @torch.no_grad()
    def test_one_by_one_it_is_the_same(self, config):
        model, inputs = build_model(config).eval(), batch()
        together = model.encode_decode(inputs)
        side = 32 if config is CONFIG else 16
        assert together.shape == (5, 1, side, side)
        images = model.encode_images(inputs.images)
        sentences = model.encode_sentences(inputs.expressions)
        for row, image in enumerate(inputs.expressions.image_index.tolist()):
            one = torch.tensor([row])
            alone = model.segment(images.select(torch.tensor([image])), sentences.select(one), torch.tensor([0])).logits
            assert torch.allclose(alone[0], together[row], atol=1e-5)

    @torch.no_grad()
    def test_in_chunks_it_is_the_same(self, config):
        inputs = batch()
        expected = build_model(config).eval().encode_decode(inputs)
        assert torch.allclose(build_model(config, max_expressions=2).eval().encode_decode(inputs), expected, atol=1e-5)

    def test_an_image_for_all_its_sentences_in_training(self, config):
        model = build_model(config, frozen='encoder.segmenter').train()
        inputs = batch([0, 0, 0, 1, 1])
        rows, layers = count_rows(model.encoder.segmenter), count_rows(model.encoder.joint.layers[0])
        total_loss(model, inputs).backward()
        assert rows == [2] and layers == [5]

    def test_an_image_for_all_replays(self, config):
        model, inputs = build_model(config, distillation=BRANCHES), batch()
        rows = count_rows(model.encoder.segmenter)
        layers = count_rows(model.encoder.joint.layers[0])
        total_loss(model, inputs).backward()
        assert rows == [2] and layers == [5, 5, 5]

    def test_maps_are_not_copied_for_a_replay(self, config):
        model, inputs = build_model(config, distillation=BRANCHES), batch()
        maps = []
        model.neck.register_forward_hook(
            lambda _, given, __: maps.append(tuple(one.data_ptr() for one in given[0].maps.values)))
        model.loss(inputs, truths(inputs))
        assert len(maps) == 3 and len(set(maps)) == 1


class TestGradients:

    @pytest.mark.parametrize('distillation', [None, BRANCHES], ids=['plain', 'CM-MaskSD'])
    @pytest.mark.parametrize('frozen', [(), ('encoder.segmenter', ), ('encoder.segmenter', 'head', 'neck.no_mask')],
                             ids=['all', 'segmenter frozen', 'all of SAM frozen'])
    def test_what_gets_one(self, config, frozen, distillation):
        model, inputs = build_model(config, frozen=frozen, distillation=distillation), batch()
        total_loss(model, inputs).backward()
        for name, value in model.named_parameters():
            # Queries of words in the last layer stand in one matrix with those of the image: their gradient is 0.
            nothing = value.grad is None or not value.grad.any()
            assert nothing == (name.startswith((*IDLE_HEAD, *IDLE_WORDS)) or is_part(name, frozen)), name
            assert value.requires_grad != is_part(name, frozen), name
            assert value.requires_grad or value.grad is None, name

    def test_a_frozen_tower_keeps_nothing_for_gradients(self, config):
        model = build_model(config, frozen='encoder.segmenter')
        assert not any(one.requires_grad for one in model.encoder.embed_image(batch().images).frozen.values)
        assert not model.train().encoder.segmenter.training and model.encoder.joint.training

    def test_checkpointing_is_passed_on(self, config):
        encoder = dict(config['encoder'], activation_checkpointing=True)
        inputs, gradients = batch(), []
        for model in (build_model(config), build_model(config, encoder=encoder)):
            total_loss(model, inputs).backward()
            gradients.append([value.grad for value in model.parameters() if value.grad is not None])
        assert model.encoder.segmenter.activation_checkpointing and model.encoder.joint.activation_checkpointing
        assert all(torch.allclose(*pair, atol=1e-6) for pair in zip(*gradients))


def test_mixed_precision(config):
    model, inputs = build_model(config, distillation=BRANCHES), batch()
    expected = float(total_loss(model, inputs).detach())
    with torch.autocast('cpu', torch.bfloat16):
        loss = total_loss(model, inputs)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(expected, rel=0.05)
    assert all(value.grad is None or value.grad.isfinite().all() for value in model.parameters())


class TestRegion:
    """Patches lie on the joint encoder's view, the ground truth on the main one."""

    def test_of_a_stretched_view(self):
        images = batch().images
        assert region_of_view(images.box, images.view('joint')).tolist() == [[0, 0, 64, 64], [0, 0, 64, 40]]

    def test_of_a_view_with_a_border(self):
        """The image fills the middle half of a view of 20 x 40 pixels, so its patches reach beyond the image."""
        view = ImageView(torch.zeros(1, 3, 20, 40), torch.tensor([[10.0, 0.0, 30.0, 20.0]]))
        found = region_of_view(torch.tensor([[4.0, 8.0, 24.0, 48.0]]), view)
        assert found.tolist() == [[-6, 8, 34, 48]]

    def test_coverage_of_a_region(self):
        """Pixel by pixel on a finer grid."""
        generator = torch.Generator().manual_seed(0)
        masks = torch.rand(2, 3, 6, 8, generator=generator)
        region = torch.tensor([[0.5, 1.25, 6.5, 5.25], [-2.0, 0.0, 10.0, 8.0]])
        found = mask_coverage(masks, (2, 3), region)
        for image, (x0, y0, x1, y1) in zip(range(2), region.tolist()):
            for row in range(2):
                for column in range(3):
                    ys = y0 + (y1 - y0) * (row + (torch.arange(64) + 0.5) / 64) / 2
                    xs = x0 + (x1 - x0) * (column + (torch.arange(64) + 0.5) / 64) / 3
                    inside = ((ys >= 0) & (ys < 6))[:, None] & ((xs >= 0) & (xs < 8))
                    rows, columns = ys.floor().long().clamp(0, 5), xs.floor().long().clamp(0, 7)
                    expected = (masks[image][:, rows[:, None], columns] * inside).mean(dim=(1, 2))
                    assert torch.allclose(found[image, :, row, column], expected, atol=1e-4)

    def test_all_of_the_input_is_the_default(self):
        masks = torch.rand(2, 1, 8, 8)
        region = torch.tensor([[0.0, 0.0, 8.0, 8.0]]).repeat(2, 1)
        assert torch.allclose(mask_coverage(masks, (4, 2), region), mask_coverage(masks, (4, 2)), atol=1e-6)

    def test_the_targets_patches(self):
        """The right half of an image that fills the upper half of the input: the right half of all patches."""
        target = torch.zeros(1, 1, 8, 8)
        target[..., :4, 4:] = 1
        found = target_patches(target, torch.ones(1, 4, 4, dtype=torch.bool), torch.tensor([[0.0, 0.0, 8.0, 4.0]]))
        assert found[0].tolist() == [[False, False, True, True]] * 4

    def test_the_share_is_measured_there(self):
        """Of a branch that selects all patches, the target's are all found, wherever the border is."""
        filter_all = dict(type='CorrelationFilter', top_k=1.0)
        branch = dict(BRANCHES['lmvsd'], correlation_filter=filter_all)
        model, inputs = build_model(distillation=dict(lmvsd=branch)), batch()
        regions = []
        model.neck.register_forward_hook(lambda _, given, __: regions.append(given[0].region))
        losses = model.loss(inputs, truths(inputs))
        assert losses['target_share_lmvsd'] == losses['chance_lmvsd'] == 1
        assert [region.tolist() for region in regions] == [[
            [0, 0, 64, 40 if image == 1 else 64] for image in inputs.expressions.image_index.tolist()
        ]] * 2


class TestArguments:

    def test_instance_masks_are_refused(self):
        trimodal = dict(type='TrimodalEncoder', architecture=dict(layers=4, channels=32, heads=2, vocabulary=99))
        with pytest.raises(ValueError, match="joint of EVFSAMEncoder looks at the view 'near', but instance masks lie"):
            EVFSAMEncoder(segmenter=CONFIG['encoder']['segmenter'], joint=trimodal, view='near')

    def test_a_view_that_is_missing(self):
        model = MODELS.build(dict(CONFIG, encoder=dict(CONFIG['encoder'], view='near')))
        with pytest.raises(ValueError, match="looks at a view 'near' of its images, but they come with main, joint"):
            model.encode_images(batch().images)

    def test_an_encoder_of_two_towers_prompts_too(self):
        """Not EVF-SAM, but nothing in the way forbids it."""
        architecture = dict(
            embed_dim=24,
            vision_cfg=dict(image_size=32, patch_size=8, width=32, head_width=16, layers=3),
            text_cfg=dict(context_length=8, vocab_size=60, width=40, heads=2, layers=1))
        encoder = dict(CONFIG['encoder'], joint=dict(type='CLIPEncoder', architecture=architecture, taps=(1, 2, 3)))
        model = build_model(encoder=encoder, neck=dict(CONFIG['neck'], in_channels=24), distillation=BRANCHES)
        assert total_loss(model, batch()).isfinite()
