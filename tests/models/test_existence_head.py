"""The head that says whether anything fits, on all methods."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

from mmris.models.heads import ExistenceHead
from mmris.registry import MODELS
from mmris.structures import FusedFeatures
from tests.conftest import ROOT
from tests.test_configs import batch_of, shrink

METHODS = [
    'cm_masksd/vit-b_refcoco', 'cm_masksd/rn101_refcoco', 'cm_masksd/swin-b_refcoco', 'cm_masksd/beit3-b_refcoco',
    'cris/rn101_refcoco', 'shared_ris/beit3-b_refcoco', 'risclip/vit-b_refcoco_stage2', 'mail/vilt-b_refcoco',
    'evf_sam/vit-h_beit3-l_refcoco', 'detris/vit-b_refcoco', 'lavt/swin-b_refcoco'
]


def build(config, **changes):
    torch.manual_seed(0)
    return MODELS.build(dict(config.model, **changes))


def fused_widths(model, inputs):
    """Widths of what the decoder gives, and its pixels."""
    with torch.no_grad():
        fused = model.eval().main_pass(inputs).fused
    return fused.pixels.size(1), fused.sentence.size(1)


@pytest.fixture(params=METHODS)
def method(request, refer_set):
    """A config of each method at toy size, a training batch, and the head's config."""
    config = shrink(Config.fromfile(ROOT / f'configs/{request.param}.py'))
    batch = batch_of(config.train_dataloader, refer_set, 'refs(unc).p')
    plain = build(config)
    channels, sentence_channels = fused_widths(plain, plain.data_preprocessor(batch, True)['inputs'])
    head = dict(type='ExistenceHead', channels=channels, sentence_channels=sentence_channels, loss_weight=0.5)
    return config, batch, head, refer_set


def test_on_each_method(method):
    """It trains beside the masks, changes no mask, and answers for each sentence on its own."""
    config, batch, head, refer_set = method
    model = build(config, existence=head).train()
    data = model.data_preprocessor(batch, True)
    for sample in data['data_samples']:
        sample.gt_existence = torch.zeros_like(sample.gt_existence)
    losses = model(**data, mode='loss')
    assert losses['loss_existence'] > 0 and 0 <= losses['existence_accuracy'] <= losses['chance_existence'] == 1
    model.parse_losses(losses)[0].backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.existence.parameters())

    model.eval()
    with torch.no_grad():
        samples = model.test_step(batch_of(config.val_dataloader, refer_set, 'refs(unc).p'))
        for sample in samples:
            assert sample.existence.shape == (len(sample.text), ) and sample.existence.dtype == torch.float32
            assert 0 < sample.existence.min() and sample.existence.max() < 1
        one_by_one = build(config, existence=head, max_expressions=1)
        one_by_one.load_state_dict(model.state_dict())
        again = one_by_one.eval().test_step(batch_of(config.val_dataloader, refer_set, 'refs(unc).p'))
        plain = build(config)
        plain.load_state_dict({key: value for key, value in model.state_dict().items()
                               if not key.startswith('existence.')})
        without = plain.eval().test_step(batch_of(config.val_dataloader, refer_set, 'refs(unc).p'))
    for sample, alone, bare in zip(samples, again, without):
        assert torch.allclose(sample.existence, alone.existence, atol=1e-5)
        assert torch.allclose(sample.probabilities, bare.probabilities, atol=1e-6) and 'existence' not in bare


def features(rows=3, channels=4, sentence_channels=5, size=6):
    generator = torch.Generator().manual_seed(0)
    return FusedFeatures(
        pixels=torch.randn(rows, channels, size, size, generator=generator),
        words=torch.zeros(rows, 2, 4),
        sentence=torch.randn(rows, sentence_channels, generator=generator),
        token_mask=torch.ones(rows, 2, dtype=torch.bool)), torch.randn(rows, 1, 4 * size, 4 * size, generator=generator)


def test_computes_what_its_docstring_says():
    fused, logits = features()
    head = ExistenceHead(channels=4, sentence_channels=5, hidden=7)
    found = head(fused, logits)
    first, _, last = head.classifier
    for row in range(3):
        cells = np.array([[logits[row, 0, 4 * y:4 * y + 4, 4 * x:4 * x + 4].mean().item() for x in range(6)]
                          for y in range(6)])
        attention = np.exp(cells) / np.exp(cells).sum()
        pixels = fused.pixels[row].numpy()
        seen = [(pixels * attention).sum(axis=(1, 2)), pixels.mean(axis=(1, 2)),
                head.sentence_projection(fused.sentence[row]).detach().numpy()]
        vector = head.norm(torch.tensor(np.concatenate(seen), dtype=torch.float32))
        mask = torch.tensor([cells.max(), (1 / (1 + np.exp(-cells))).mean()], dtype=torch.float32)
        expected = last(F.gelu(first(torch.cat((vector, mask)))))
        assert torch.allclose(found[row], expected[0], atol=1e-5)


@pytest.mark.parametrize('detach', [True, False])
def test_where_its_gradient_stops(detach):
    fused, logits = features()
    pixels, sentence, logits = (one.requires_grad_() for one in (fused.pixels, fused.sentence, logits))
    head = ExistenceHead(channels=4, sentence_channels=5, detach=detach)
    head.loss(head(fused, logits), torch.tensor([True, False, True])).backward()
    assert logits.grad is None and head.sentence_projection.weight.grad.any()
    assert all((one.grad is None) if detach else one.grad.any() for one in (pixels, sentence))


def test_its_loss_and_what_it_counts():
    head = ExistenceHead(channels=4, sentence_channels=5, loss_weight=0.3)
    existence, target = torch.tensor([2.0, -1.0, 0.5, 3.0]), torch.tensor([True, False, False, True])
    expected = -np.mean([np.log(1 / (1 + np.exp(-2))), np.log(1 - 1 / (1 + np.exp(1))),
                         np.log(1 - 1 / (1 + np.exp(-0.5))), np.log(1 / (1 + np.exp(-3)))])
    assert head.loss(existence, target).item() == pytest.approx(0.3 * expected, rel=1e-6)
    heavy = ExistenceHead(channels=4, sentence_channels=5, loss_weight=1, no_target_weight=3)
    shares = [np.log(1 / (1 + np.exp(-2))), 3 * np.log(1 - 1 / (1 + np.exp(1))),
              3 * np.log(1 - 1 / (1 + np.exp(-0.5))), np.log(1 / (1 + np.exp(-3)))]
    assert heavy.loss(existence, target).item() == pytest.approx(-np.mean(shares), rel=1e-6)
    assert head.measure(existence, target) == dict(
        existence_accuracy=torch.tensor(0.75), chance_existence=torch.tensor(0.5))


def test_mistakes_are_named(refer_set):
    fused, logits = features()
    with pytest.raises(ValueError, match='channels of ExistenceHead is 8, but the width of the pixels is 4'):
        ExistenceHead(channels=8, sentence_channels=5)(fused, logits)
    with pytest.raises(ValueError, match='sentence_channels of ExistenceHead is 6, but the width of the sentence is 5'):
        ExistenceHead(channels=4, sentence_channels=6)(fused, logits)
    config = shrink(Config.fromfile(ROOT / 'configs/cris/rn50_refcoco.py'))
    head = dict(type='ExistenceHead', channels=16, sentence_channels=24)
    model = build(config, existence=head)
    data = model.data_preprocessor(batch_of(config.train_dataloader, refer_set, 'refs(unc).p'), True)
    for sample in data['data_samples']:
        del sample.gt_existence
    with pytest.raises(ValueError, match='gt_existence, which a sample lacks: LoadMasks makes it'):
        model(**data, mode='loss')
    with pytest.raises(ValueError, match="both have an entry 'existence'"):
        build(config, existence=head, losses=dict(existence=dict(type='DiceLoss')))
