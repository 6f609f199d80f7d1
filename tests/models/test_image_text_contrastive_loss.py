"""The contrast of whole images and sentences."""

from types import SimpleNamespace

import pytest
import torch
from open_clip.loss import ClipLoss

from mmris.models.losses import ImageTextContrastiveLoss
from mmris.registry import MODELS
from tests.conftest import assert_close
from tests.models.test_distillation import make_inputs
from tests.models.test_referring_segmentor import samples_with_masks

SCALE = 1 / 0.07


def main_of(own: list, images: int = 3, width: int = 8) -> SimpleNamespace:
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(images, width, generator=generator, requires_grad=True)
    sentence = torch.randn(len(own), width, generator=generator, requires_grad=True)
    return SimpleNamespace(encoded=SimpleNamespace(
        image=SimpleNamespace(image_global=image), text=SimpleNamespace(sentence=sentence),
        image_index=torch.tensor(own)))


def test_one_sentence_an_image_is_clips():
    main = main_of([0, 1, 2])
    loss = ImageTextContrastiveLoss(loss_weight=0.5)(main, range(3))
    image, text = main.encoded.image.image_global, main.encoded.text.sentence
    expected = 0.5 * ClipLoss()(torch.nn.functional.normalize(image), torch.nn.functional.normalize(text), SCALE)
    assert_close(loss, expected)
    gradients = torch.autograd.grad(loss, [image, text], retain_graph=True)
    for mine, theirs in zip(gradients, torch.autograd.grad(expected, [image, text])):
        assert_close(mine, theirs)


def test_several_sentences_written_out():
    own = [0, 0, 1, 2, 2, 2]
    main = main_of(own)
    cosine = torch.nn.functional.cosine_similarity(
        main.encoded.text.sentence[:, None], main.encoded.image.image_global[None], dim=2) * SCALE
    total = 0
    for sentence, image in enumerate(own):
        rivals = [other for other in range(len(own)) if own[other] != image] + [sentence]
        total -= torch.log_softmax(cosine[sentence], 0)[image] / 2
        total -= (cosine[sentence, image] - torch.logsumexp(cosine[rivals, image], 0)) / 2
    assert_close(ImageTextContrastiveLoss()(main, range(3)), total / len(own))


def test_a_single_image_has_nothing_to_be_told_from():
    main = main_of([0, 0], images=1)
    loss = ImageTextContrastiveLoss()(main, range(1))
    loss.backward()
    assert loss.abs() < 1e-6 and main.encoded.text.sentence.grad.isfinite().all()


def test_mistakes_are_named():
    with pytest.raises(ValueError, match='scale of ImageTextContrastiveLoss must be positive, but got 0'):
        ImageTextContrastiveLoss(scale=0)
    with pytest.raises(ValueError, match='gave 3 rows for 2 images: its image half sees the sentence. Take an encoder'):
        ImageTextContrastiveLoss()(main_of([0, 1, 2]), range(2))


def test_in_a_model(tiny_model):
    inputs = make_inputs()
    tiny_model.auxiliary_losses['contrast'] = MODELS.build(dict(type='ImageTextContrastiveLoss'))
    losses = tiny_model.train().loss(inputs, samples_with_masks(inputs))
    losses['loss_contrast'].backward()
    assert tiny_model.encoder.text.clip.token_embedding.weight.grad.any()
