"""Padding changes nothing: every encoder, with sentences padded to a fixed length or to the longest."""

import pytest
import torch
from mmengine.config import Config

from mmris.apis import Predictor
from mmris.apis.encoded_sentences import EncodedSentences
from mmris.models.data_preprocessor import batch_expressions
from mmris.registry import MODELS
from mmris.structures import ReferringDataSample
from mmris.utils.pretrained import forget_pretrained
from tests.apis.test_encoded_sentences import IMAGE, count_sentences
from tests.conftest import ROOT, assert_close, edit_refs
from tests.test_configs import batch_of, shrink

# One for each text encoder, and for each neck and decoder that reads words.
CONFIGS = [
    'cm_masksd/vit-tiny_shaperef.py', 'cm_masksd/beit3-tiny_shaperef.py', 'cris/rn-tiny_shaperef.py',
    'shared_ris/tiny_shaperef.py', 'mail/tiny_shaperef.py', 'risclip/vit-tiny_shaperef_stage2.py',
    'risclip/ablations/shaperef_value-path.py', 'detris/tiny_shaperef.py', 'lavt/tiny_shaperef.py',
    'evf_sam/tiny_shaperef.py',
    *(f'shared_ris/ablations/{name}.py' for name in (
        'decoder_bidirectional', 'decoder_cross-attention', 'fpn_bidirectional', 'fpn_cross-attention', 'fpn_pwam'))
]
# Of three samples, the longest of 4, 12 and 8 tokens.
SENTENCES = [['the star'], ['left', 'the small red circle left of the big blue square'], ['the blue star on the left']]


def build(config: str, pad_to_longest: bool) -> Predictor:
    settings = Config.fromfile(ROOT / 'configs' / config)
    if 'shaperef' not in config:
        settings = shrink(settings)
    forget_pretrained(settings.model.encoder)
    settings.inputs.tokenizer.pad_to_longest = pad_to_longest
    torch.manual_seed(0)
    predictor = Predictor(settings, device='cpu')
    # What begins at zero, such as RISCLIP's CFE, would hide what words do.
    for parameter in predictor.model.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape)
    predictor.set_image(IMAGE)
    return predictor


def logits_of(predictor: Predictor) -> torch.Tensor:
    """The sentences as evaluation sees them: tokenised by sample, lined up by the data preprocessor."""
    samples = [ReferringDataSample() for _ in SENTENCES]
    for sample, sentences in zip(samples, SENTENCES):
        sample.token_ids, sample.token_mask = predictor._tokenizer(sentences)
    expressions = batch_expressions(samples)
    assert expressions.token_mask.sum(dim=1).tolist() == [4, 3, 12, 8]
    tokenizer = predictor._tokenizer
    assert expressions.token_ids.size(1) == (12 if tokenizer.pad_to_longest else tokenizer.context_length)
    with torch.inference_mode():
        text = predictor.model.encode_sentences(expressions)
        return predictor.model.segment(predictor._current.image.state, text, torch.zeros(4, dtype=torch.int64)).logits


@pytest.mark.parametrize('config', CONFIGS)
def test_logits_and_probabilities(config):
    fixed, longest = build(config, False), build(config, True)
    expected = logits_of(fixed)
    assert_close(logits_of(longest), expected)
    # The sentences tell, so that equal ones are not equal for want of words.
    assert (expected[0] - expected[2]).abs().max() > 1e-3 * expected.abs().max()

    sentences = sum(SENTENCES, [])
    expected = torch.tensor(fixed.predict(sentences).probabilities)
    counts = count_sentences(longest)
    # A short one, then all, then some with what is kept of the others.
    for asked in ([1], [0, 1, 2, 3], [2, 0], [1]):
        found = longest.predict([sentences[number] for number in asked]).probabilities
        assert_close(torch.tensor(found), expected[asked])
    assert counts == [1, 1, 1, 1], 'by length, each sentence once'


def test_a_kept_sentence_has_the_length_that_it_has_alone():
    """Whatever it was asked together with: it costs no more later."""
    predictor = build('evf_sam/tiny_shaperef.py', True)
    sentences: EncodedSentences = predictor._sentences
    together = sentences.encode(predictor.model, ['the star', 'the blue star on the left', 'red star'])
    assert together.words.shape[:2] == (3, 8) and together.token_mask.sum(dim=1).tolist() == [4, 8, 4]
    again = sentences.encode(predictor.model, ['red star', 'the star'])
    assert again.words.shape[:2] == (2, 4) and torch.equal(again.words[1], together.words[0, :4])
    alone = EncodedSentences(predictor._tokenizer).encode(predictor.model, ['the star'])
    assert torch.equal(alone.words, again.words[1:])


@pytest.mark.parametrize('config', ['shared_ris/tiny_shaperef.py', 'evf_sam/tiny_shaperef.py'])
def test_gradients(refer_set, config):
    """Also of the embedding of the id that fills up shorter samples, which words may have."""
    edit_refs(refer_set, lambda refs: refs[0]['sentences'][0].update(sent='the square! on the far left'))
    found = []
    for pad_to_longest in (False, True):
        settings = Config.fromfile(ROOT / 'configs' / config)
        length = settings.inputs.tokenizer.context_length
        settings.inputs.tokenizer.pad_to_longest = pad_to_longest
        torch.manual_seed(0)
        model = MODELS.build(shrink(settings).model)
        batch = model.data_preprocessor(batch_of(settings.train_dataloader, refer_set, 'refs(unc).p'))
        assert batch['inputs'].expressions.token_ids.size(1) == (9 if pad_to_longest else length)
        sum(model.loss(**batch).values()).backward()
        found.append([one.grad for one in model.parameters() if one.grad is not None])
    largest = max(one.abs().max() for one in found[0])
    assert all((one - other).abs().max() <= 1e-5 * largest for one, other in zip(*found))
