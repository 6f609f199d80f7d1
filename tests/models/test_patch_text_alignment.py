"""The alignment of patches and sentence, against its equation."""

import math

import pytest
import torch

from mmris.models.losses import PatchTextAlignmentLoss
from mmris.registry import MODELS
from tests.conftest import tiny_config
from tests.models.test_distillation import make_inputs
from tests.models.test_referring_segmentor import samples_with_masks

CONFIGS = ['cm_masksd/vit-tiny_shaperef.py', 'cm_masksd/beit3-tiny_shaperef.py']


def model_of(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return MODELS.build(tiny_config(name).model)


@pytest.mark.parametrize('name', CONFIGS)
def test_patch_by_patch(name):
    model, inputs = model_of(name).eval(), make_inputs()
    samples = samples_with_masks(inputs)
    with torch.no_grad():
        main = model.main_pass(inputs)
        found = PatchTextAlignmentLoss(scale=5.0, bias=-0.3, loss_weight=0.5)(main, samples)
    targets = [mask for sample in samples for mask in sample.gt_input]
    _, height, width = main.image_embeddings.inside.shape
    side = 64 // height
    terms = []
    for one in range(len(targets)):
        sentence = main.encoded.text.sentence[one]
        patches = main.encoded.image.patches[main.encoded.image_index[one]]
        for row in range(height):
            for column in range(width):
                # The image fills rows 16 to 48 of the input.
                if (row + 1) * side <= 16 or row * side >= 48:
                    continue
                patch = patches[row * width + column]
                cosine = float(patch @ sentence) / math.sqrt(float(patch @ patch) * float(sentence @ sentence))
                probability = 1 / (1 + math.exp(-(5 * cosine - 0.3)))
                block = targets[one][side * row:side * (row + 1), side * column:side * (column + 1)]
                covered = sum(block.flatten().tolist()) / side**2
                terms.append(-covered * math.log(probability) - (1 - covered) * math.log(1 - probability))
    assert len(terms) == len(targets) * height * width // 2
    assert found.item() == pytest.approx(0.5 * sum(terms) / len(terms), rel=1e-4)


def test_every_parameter_of_the_towers_gets_a_gradient():
    model, inputs = model_of(CONFIGS[0]), make_inputs()
    PatchTextAlignmentLoss()(model.main_pass(inputs), samples_with_masks(inputs)).backward()
    for name, parameter in model.encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.any(), name


def test_steps_on_it_bring_the_target_into_the_selection():
    """On one batch whose targets lie where its images are bright."""
    model, inputs = model_of(CONFIGS[0]), make_inputs()
    samples = samples_with_masks(inputs)
    for sample in samples:
        sample.gt_input.zero_()[:, 20:28, 8:24] = 1
    inputs.images.pixels[:, :, 20:28, 8:24] += 3
    target = torch.cat([sample.gt_input for sample in samples]).unsqueeze(1)
    loss, branch = PatchTextAlignmentLoss(), model.distillation['lmvsd']
    optimizer = torch.optim.Adam(model.encoder.parameters(), lr=1e-3)
    for _ in range(30):
        optimizer.zero_grad()
        loss(model.main_pass(inputs), samples).backward()
        optimizer.step()
    with torch.no_grad():
        main = model.main_pass(inputs)
        measured = branch.measure(main, branch.encode_masked(main, model.encoder)[1], target)
    assert measured.target_share > 0.95 and measured.chance == 0.5


def test_of_a_config():
    config = tiny_config().model
    config.auxiliary_losses = dict(alignment=dict(type='PatchTextAlignmentLoss', loss_weight=0.5))
    torch.manual_seed(0)
    model, inputs = MODELS.build(config), make_inputs()
    losses = model.loss(inputs, samples_with_masks(inputs))
    assert losses['loss_alignment'] > 0
    assert not any('alignment' in name for name in model.state_dict()), 'checkpoints do not depend on it'


def test_mixed_precision():
    model, inputs = model_of(CONFIGS[0]), make_inputs()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = PatchTextAlignmentLoss()(model.main_pass(inputs), samples_with_masks(inputs))
    assert loss.dtype == torch.float32 and loss.isfinite()


@pytest.mark.parametrize('scale', [0, -1.0])
def test_scale_that_is_not_positive(scale):
    with pytest.raises(ValueError, match=f'scale of PatchTextAlignmentLoss must be positive, but got {scale}'):
        PatchTextAlignmentLoss(scale=scale)
