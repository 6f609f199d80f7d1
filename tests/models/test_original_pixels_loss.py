"""The loss on the original pixels, beside EVF-SAM's published formulas written out, and beside what is scored."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmris.datasets.pipelines import resolve_pipelines
from mmris.models.losses import OriginalPixelsLoss
from mmris.protocols import PROTOCOLS
from mmris.registry import DATASETS, MODELS
from mmris.structures import ReferringDataSample
from tests.conftest import tiny_config
from tests.models.toy_evf_sam import BRANCHES, SIZE, batch, build_model, truths

BCE = dict(type='BinaryCrossEntropyLoss', loss_weight=1.0)
DICE = dict(type='DiceLoss', loss_weight=0.5, squared=False, smooth=1e-3)
LOSSES = dict(bce=dict(type='OriginalPixelsLoss', loss=BCE), dice=dict(type='OriginalPixelsLoss', loss=DICE))
# Height and width of the first image, and of the second, which fills the upper 40 of 64 rows.
SIZES = [(40, 40), (25, 40)]


def originals(inputs) -> list:
    """A sample an image, with random masks on its original pixels."""
    samples, generator = [], torch.Generator().manual_seed(2)
    for image, (height, width) in enumerate(SIZES):
        sample = ReferringDataSample()
        count = int((inputs.expressions.image_index == image).sum())
        sample.gt_original = torch.rand(count, height, width, generator=generator) < 0.3
        sample.set_metainfo(
            dict(ori_shape=(height, width), img_shape=(SIZE, SIZE), affine=np.array([[1.6, 0, 0], [0, 1.6, 0]])))
        samples.append(sample)
    return samples


def published(logits: torch.Tensor, masks: torch.Tensor, height: int) -> tuple:
    """Of one image, mask by mask: cross entropy and Dice as LISA and EVF-SAM sum them, with s = 1000 and e = 1e-6."""
    at_input = F.interpolate(logits, (SIZE, SIZE), mode='bilinear', align_corners=False)[..., :height, :]
    resampled = F.interpolate(at_input, masks.shape[1:], mode='bilinear', align_corners=False)[:, 0]
    entropies, dice = [], []
    for one, mask in zip(resampled, masks):
        entropy = overlap = total = 0.0
        for x, t in zip(one.flatten().tolist(), mask.flatten().tolist()):
            p = 1 / (1 + math.exp(-x))
            entropy -= math.log(p) if t else math.log(1 - p)
            overlap += 2 * p / 1000 * t
            total += p / 1000 + t / 1000
        entropies.append(entropy / mask.numel())
        dice.append(1 - (overlap + 1e-6) / (total + 1e-6))
    return entropies, dice


def test_it_equals_the_published_formulas():
    """Of images of two sizes with two and with three sentences: each mask counts the same."""
    inputs = batch([0, 0, 1, 1, 1])
    model, samples = build_model(losses=None, auxiliary_losses=LOSSES), originals(inputs)
    logits = model.main_pass(inputs).logits
    losses = model.loss(inputs, samples)
    first = published(logits[:2], samples[0].gt_original, SIZE)
    second = published(logits[2:], samples[1].gt_original, 40)
    assert set(losses) == {'loss_bce', 'loss_dice'}
    assert losses['loss_bce'].item() == pytest.approx(sum(first[0] + second[0]) / 5, rel=1e-5)
    assert losses['loss_dice'].item() == pytest.approx(0.5 * sum(first[1] + second[1]) / 5, rel=1e-5)


def test_masks_alone_are_enough_and_weights_get_gradients():
    """Neither losses on the logits' grid nor masks at the input's size are needed."""
    inputs = batch([0, 0, 1, 1, 1])
    model = build_model(losses=None, auxiliary_losses=LOSSES)
    samples = originals(inputs)
    assert all('gt_input' not in sample for sample in samples)
    main = model.main_pass(inputs)
    main.logits.retain_grad()
    sum(loss(main, samples) for loss in model.auxiliary_losses.values()).backward()
    assert all(row.any() for row in main.logits.grad) and main.logits.grad.isfinite().all()
    # Of the second image, cells below its border move nothing.
    assert not main.logits.grad[2:, 0, 21:].any() and main.logits.grad[:2, 0, 21:].any()
    assert model.neck.projection[0].weight.grad.any()
    assert all(sample.gt_original.dtype == torch.bool for sample in samples)


@pytest.mark.parametrize('name', [name for name, one in PROTOCOLS.items() if one.resampling.sigmoid_last])
def test_its_logits_are_those_that_are_scored(name):
    """Wherever the logits are above 0, and nowhere else, the protocol predicts foreground by its threshold of 1/2."""
    protocol, size = PROTOCOLS[name], (61, 97)
    logits = 4 * torch.randn(3, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    affine = protocol.geometry.affine(size, (96, 96))
    resampled = protocol.logits_on_original_pixels(logits, affine, (96, 96), size)
    probabilities = protocol.to_original_pixels(logits, affine, (96, 96), size)
    assert resampled.shape == (3, *size) and 0.1 < (resampled > 0).float().mean() < 0.9
    assert torch.equal(resampled > 0, protocol.masks(probabilities)) and protocol.threshold == 0.5
    assert torch.allclose(resampled.sigmoid(), probabilities, atol=1e-6)


def test_with_branches_both_kinds_of_masks_are_needed():
    inputs = batch([0, 0, 1, 1, 1])
    model, samples = build_model(losses=None, auxiliary_losses=LOSSES, distillation=BRANCHES), originals(inputs)
    with pytest.raises(ValueError, match=r'^model\.distillation needs the masks .* put gt_input into inputs'):
        model.loss(inputs, samples)
    for sample, other in zip(samples, truths(inputs)):
        sample.gt_input = other.gt_input
    losses = model.loss(inputs, samples)
    assert {'loss_bce', 'loss_dice', 'loss_lmvsd', 'loss_vmlsd', 'target_share_lmvsd'} <= set(losses)


class TestErrors:

    def test_no_masks_on_the_original_pixels(self):
        inputs = batch([0, 0, 1, 1, 1])
        with pytest.raises(ValueError, match=r'gt_original, which a sample lacks: set inputs\.steps\.pack=dict'):
            build_model(losses=None, auxiliary_losses=LOSSES).loss(inputs, truths(inputs))

    @pytest.mark.parametrize('changes', [dict(protocol='mmris'), dict(resampling='bilinear')])
    def test_a_protocol_that_resamples_probabilities(self, changes):
        inputs = batch([0, 0, 1, 1, 1])
        model = build_model(losses=None, auxiliary_losses=LOSSES, **changes)
        with pytest.raises(ValueError, match=r'the sigmoid is taken before resampling\. .* logits: evf_sam'):
            model.loss(inputs, originals(inputs))
        with pytest.raises(ValueError, match='Protocol .* takes the sigmoid before it resamples, so it has no logits'):
            model.protocol.logits_on_original_pixels(torch.zeros(1, 1, 4, 4), np.eye(3)[:2], (8, 8), (8, 8))

    def test_a_resampling_that_resamples_logits_does(self):
        """By another paper's geometry."""
        inputs = batch([0, 0, 1, 1, 1])
        model = build_model(losses=None, auxiliary_losses=LOSSES, protocol='mmris', resampling='evf_sam')
        expected = build_model(losses=None, auxiliary_losses=LOSSES).loss(inputs, originals(inputs))
        assert model.loss(inputs, originals(inputs)) == expected

    def test_another_geometry(self):
        inputs = batch([0, 0, 1, 1, 1])
        samples = originals(inputs)
        samples[1].set_metainfo(dict(affine=np.array([[1.6, 0, 0], [0, 1.92, 0]])))
        with pytest.raises(ValueError, match='by ResizeLongestSide, but one of 25 x 40 pixels'):
            build_model(losses=None, auxiliary_losses=LOSSES).loss(inputs, samples)

    @pytest.mark.parametrize('auxiliary, asking', [
        (None, 'model.losses'),
        (dict(alignment=dict(type='PatchTextAlignmentLoss')), 'PatchTextAlignmentLoss'),
    ])
    def test_no_masks_in_the_input(self, auxiliary, asking):
        """Which other losses need, as before."""
        inputs = batch([0, 0, 1, 1, 1])
        model = build_model(auxiliary_losses=auxiliary, **(dict(losses=None) if auxiliary else {}))
        with pytest.raises(ValueError, match=f'^{asking} needs the masks .* gt_input, which a sample lacks'):
            model.loss(inputs, originals(inputs))

    def test_nothing_to_optimise(self):
        inputs = batch()
        with pytest.raises(ValueError, match='There is nothing to optimise: .* Set model.losses'):
            build_model(losses={}).loss(inputs, truths(inputs))


def test_a_training_pipeline_packs_them(refer_set):
    """By one line of a config, for the training alone; as bool, on the image's own pixels."""
    config = tiny_config('evf_sam/tiny_shaperef.py')
    config.inputs.steps = dict(pack=dict(phase='train', masks=['gt_original']))
    resolve_pipelines(config)
    config.model.losses = None
    config.model.auxiliary_losses = LOSSES
    for loader in (config.train_dataloader, config.test_dataloader):
        loader.dataset.update(data_root=str(refer_set), split='val')
        sample = DATASETS.build(loader.dataset)[0]['data_samples']
        assert sample.gt_original.dtype == torch.bool and sample.gt_original.shape[1:] == sample.ori_shape
        assert 'gt_input' not in sample
    model = MODELS.build(config.model)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    packed = [dataset[index] for index in range(2)]
    data = {name: [one[name] for one in packed] for name in ('inputs', 'data_samples')}
    data['views'] = {'joint': [one['views']['joint'] for one in packed]}
    losses = model(**model.data_preprocessor(data, True), mode='loss')
    assert all(loss.isfinite() and loss > 0 for loss in losses.values())


def test_any_mask_loss_fits():
    assert OriginalPixelsLoss(loss=dict(type='FocalLoss', alpha=0.5)).loss.alpha == 0.5
