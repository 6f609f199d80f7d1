"""MaIL's decoder, its selection among instances, and the model as a whole."""

import math
from dataclasses import replace

import pytest
import torch

from mmris.models.data_preprocessor import batch_instances
from mmris.models.decoders import ProgressiveDecoder
from mmris.models.decoders.progressive_decoder import weighted_union
from mmris.models.losses import MaskSelectionLoss
from mmris.registry import MODELS
from mmris.structures import (
    ExpressionBatch,
    FusedFeatures,
    ImageInputs,
    InstanceFeatures,
    ReferringDataSample,
    ReferringInputs,
    SharedRows,
)
from tests.conftest import tiny_config

COUNTS = (3, 0, 2)
# Two sentences about the first image, one about each other.
IMAGE_INDEX = (0, 0, 1, 2)


def random_masks(*shape):
    return torch.rand(*shape) < 0.3


def instances(channels=8, scores=None):
    found = batch_instances([random_masks(count, 16, 24) for count in COUNTS])
    return InstanceFeatures(torch.randn(4, 3, channels), SharedRows(found, torch.tensor(IMAGE_INDEX)), scores)


def fused(given=None):
    return FusedFeatures(
        pixels=torch.randn(4, 8, 4, 6),
        words=torch.randn(4, 5, 8),
        sentence=torch.randn(4, 8),
        token_mask=torch.ones(4, 5, dtype=torch.bool),
        instances=given)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


class TestUnion:

    def test_cell_by_cell(self):
        given = instances(scores=torch.randn(4, 3))
        union, scores = weighted_union(given, (8, 6)), given.scores.tolist()
        assert union.shape == (4, 1, 8, 6)
        for row, image in enumerate(IMAGE_INDEX):
            for y in range(8):
                for x in range(6):
                    cell = given.found.values.masks[image, :COUNTS[image], 2 * y:2 * y + 2, 4 * x:4 * x + 4].float()
                    weighted = [part.mean().item() / (1 + math.exp(-score)) for part, score in zip(cell, scores[row])]
                    assert union[row, 0, y, x].item() == pytest.approx(max(weighted, default=0), abs=1e-6)

    def test_what_absent_instances_hold_does_not_matter(self):
        given = instances(scores=torch.randn(4, 3))
        masks = given.found.values.masks | ~given.found.values.present[:, :, None, None]
        filled = replace(given, found=replace(given.found, values=replace(given.found.values, masks=masks)))
        assert torch.equal(weighted_union(filled, (8, 6)), weighted_union(given, (8, 6)))

    def test_no_image_has_an_instance(self):
        found = batch_instances([random_masks(0, 16, 24)] * 3)
        given = InstanceFeatures(torch.zeros(4, 0, 8), SharedRows(found, torch.tensor(IMAGE_INDEX)), torch.zeros(4, 0))
        assert torch.equal(weighted_union(given, (8, 6)), torch.zeros(4, 1, 8, 6))


class TestDecoder:

    def test_grid_doubles_with_each_width(self):
        decoder = ProgressiveDecoder(in_channels=8, channels=(6, 5, 4))
        given = fused()
        output = decoder(given)
        assert output.pixels.shape == (4, 4, 32, 48) and output.words is given.words and output.instances is None

    def test_scores_and_their_union_reach_the_pixels(self):
        decoder = ProgressiveDecoder(in_channels=8, channels=(6, 5), mask_selection=True).eval()
        given = fused(instances())
        output = decoder(given)
        assert output.instances.scores.shape == (4, 3)
        assert torch.equal(output.instances.scores, decoder.mask_selection(given.instances.tokens)[..., 0])
        other = replace(given, instances=replace(given.instances, tokens=given.instances.tokens + 1))
        changed = (decoder(other).pixels != output.pixels).flatten(1).any(dim=1)
        # The third sentence's image has no instances.
        assert changed.tolist() == [True, True, False, True]

    def test_union_at_each_grid(self):
        """Each convolution sees the union, brought to its grid by area, as its last channel."""
        decoder = ProgressiveDecoder(in_channels=8, channels=(6, 5), mask_selection=True).eval()
        seen = []
        for block in decoder.blocks:
            block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        output = decoder(fused(instances()))
        fine = weighted_union(output.instances, (16, 24))
        assert [given.shape for given in seen] == [(4, 9, 8, 12), (4, 7, 16, 24)]
        assert torch.allclose(seen[1][:, -1:], fine)
        assert torch.allclose(seen[0][:, -1:], fine.unflatten(3, (12, 2)).unflatten(2, (8, 2)).mean(dim=(3, 5)))

    def test_nothing_to_select_among(self):
        with pytest.raises(ValueError, match='is to select among instance masks, but the neck gave none: take an '
                           'encoder with masks=True and JointSpaceNeck, or set mask_selection=False'):
            ProgressiveDecoder(in_channels=8, channels=(6, ), mask_selection=True)(fused())

    def test_no_width(self):
        with pytest.raises(ValueError, match='channels of ProgressiveDecoder must name the width'):
            ProgressiveDecoder(in_channels=8, channels=())


def model_of(name='mail/tiny_shaperef.py', **changes):
    return MODELS.build(dict(tiny_config(name).model, **changes))


def batch(counts=COUNTS):
    """Images with so many instances, their sentences, and what is known of them."""
    generator = torch.Generator().manual_seed(5)
    index = torch.tensor(IMAGE_INDEX)
    ids = torch.randint(1, 1000, (4, 16), generator=generator)
    lengths = torch.tensor([6, 9, 4, 16])
    masks = [torch.rand(count, 64, 64, generator=generator) < 0.3 for count in counts]
    images = ImageInputs(
        torch.randn(3, 3, 64, 64, generator=generator), torch.tensor([[0.0, 8.0, 64.0, 56.0]]).repeat(3, 1),
        batch_instances(masks))
    samples = []
    for image, count in enumerate(counts):
        sentences = IMAGE_INDEX.count(image)
        sample = ReferringDataSample()
        sample.gt_input = (torch.rand(sentences, 64, 64, generator=generator) < 0.3).float()
        sample.instance_masks = masks[image]
        sample.instance_iou = torch.rand(sentences, count, generator=generator)
        samples.append(sample)
    return ReferringInputs(images, ExpressionBatch(ids, torch.arange(16) < lengths[:, None], index)), samples


class TestSelectionLoss:

    def test_instance_by_instance(self):
        model = model_of().eval()
        inputs, samples = batch()
        main = model.main_pass(inputs)
        losses, rows = [], [row for sample in samples for row in sample.instance_iou]
        for scores, overlaps in zip(main.fused.instances.scores, rows):
            for score, overlap in zip(scores.tolist(), overlaps.tolist()):
                probability = 1 / (1 + math.exp(-score))
                losses.append(-math.log(probability if overlap > 0.6 else 1 - probability))
        assert len(losses) == 3 + 3 + 0 + 2
        found = MaskSelectionLoss(threshold=0.6, loss_weight=0.5)(main, samples)
        assert found.item() == pytest.approx(0.5 * sum(losses) / len(losses), rel=1e-5)

    def test_no_image_has_an_instance(self):
        model = model_of()
        inputs, samples = batch((0, 0, 0))
        loss = MaskSelectionLoss()(model.main_pass(inputs), samples)
        assert loss.item() == 0
        loss.backward()

    def test_without_scores(self):
        model = model_of('mail/tiny_shaperef_two-modality.py')
        inputs, samples = batch()
        with pytest.raises(ValueError, match='needs scores of instances.*set mask_selection=True'):
            MaskSelectionLoss()(model.main_pass(inputs), samples)

    def test_without_overlaps(self):
        inputs, samples = batch()
        del samples[1].instance_iou
        with pytest.raises(ValueError, match='which a sample lacks: put MatchInstances into the training pipeline'):
            MaskSelectionLoss()(model_of().main_pass(inputs), samples)

    def test_overlaps_of_other_instances(self):
        inputs, samples = batch()
        samples[0].instance_iou = samples[0].instance_iou[:, :2]
        with pytest.raises(ValueError, match='A sample has 3 instance masks, but instance_iou of 2'):
            MaskSelectionLoss()(model_of().main_pass(inputs), samples)

    def test_threshold(self):
        with pytest.raises(ValueError, match=r'threshold of MaskSelectionLoss is an IoU in \[0, 1\), but got 1'):
            MaskSelectionLoss(threshold=1)


class TestModel:

    @pytest.mark.parametrize('name, expected', [
        ('mail/tiny_shaperef.py', {'loss_bce', 'loss_dice', 'loss_selection'}),
        ('mail/tiny_shaperef_two-modality.py', {'loss_bce', 'loss_dice'}),
    ])
    def test_every_parameter_gets_a_gradient(self, name, expected):
        model = model_of(name)
        inputs, samples = batch()
        losses = model.loss(inputs, samples)
        assert set(losses) == expected
        sum(losses.values()).backward()
        assert [name for name, value in model.named_parameters() if not value.grad.abs().sum() > 0] == []

    def test_a_batch_without_instances_trains_all_that_others_train(self):
        """Each process of a distributed run gives all gradients, also of parts that had nothing to do."""
        model = model_of()
        inputs, samples = batch((0, 0, 0))
        sum(model.loss(inputs, samples).values()).backward()
        assert all(value.grad is not None and value.grad.isfinite().all() for value in model.parameters())

    def test_together_as_one_by_one(self):
        """Images of different numbers of instances in a batch, and sentences in chunks, as each alone."""
        model = model_of().eval()
        inputs, _ = batch()
        with torch.no_grad():
            together = model.encode_decode(inputs)
            model.max_expressions = 1
            chunked = model.encode_decode(inputs)
            alone = []
            for row, image in enumerate(IMAGE_INDEX):
                images, found = inputs.images, inputs.images.instances.masks[image, :COUNTS[image]]
                one = ImageInputs(images.pixels[image][None], images.box[image][None], batch_instances([found]))
                text = replace(inputs.expressions.select(torch.tensor([row])), image_index=torch.tensor([0]))
                alone.append(model.encode_decode(ReferringInputs(one, text)))
        assert torch.allclose(together, chunked, atol=1e-5)
        assert torch.allclose(together, torch.cat(alone), atol=1e-5)

    def test_masked_self_distillation_on_it(self):
        """CM-MaskSD's branches know no encoder by name."""
        branches = tiny_config().model.distillation
        for branch in branches.values():
            branch.mask_ratio = 1.0
        model = model_of(distillation=branches)
        inputs, samples = batch()
        losses = model.loss(inputs, samples)
        assert {'loss_lmvsd', 'loss_vmlsd'} < set(losses)
        model.parse_losses(losses)[0].backward()
        assert all(branch.mask_token.grad.abs().sum() > 0 for branch in model.distillation.values())

    def test_mixed_precision(self):
        model = model_of()
        inputs, samples = batch()
        with torch.autocast('cpu', dtype=torch.bfloat16):
            losses = model.loss(inputs, samples)
        sum(losses.values()).backward()
        assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())
        assert all(value.grad.isfinite().all() for value in model.parameters())
