"""EVF-SAM on SAM 2: torchscale's BEiT-3 joined to transformers' SAM 2, as both published codes join them."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmris.models.heads.sam2_mask_head import is_stable
from mmris.protocols.geometry import stretch_affine
from tests.conftest import assert_close
from tests.models.toy_evf_sam import SAM2_CONFIG, SAM2_TOWER, SIZE, batch
from tests.parity.sam2_references import our_state, predict, sam2_model
from tests.parity.test_evf_sam import prompting, prompts_of

PROTOCOLS = dict(best='evf_sam2_multitask', stable='evf_sam2')


def both(mask, folder):
    """Theirs, as a dict of modules, and our model with their weights."""
    torch.manual_seed(0)
    config = dict(SAM2_CONFIG, head=dict(SAM2_CONFIG['head'], mask=mask), protocol=PROTOCOLS[mask])
    parts, model = prompting(config, folder)
    sam = sam2_model(SAM2_TOWER, SIZE)
    last = sam.mask_decoder.output_hypernetworks_mlps[0].proj_out
    # The first mask of some sentences is stable.
    last.weight.data *= 140
    last.bias.data *= 140
    model.encoder.segmenter.load_state_dict(our_state(sam, 'encoder.segmenter.'))
    model.head.load_state_dict(our_state(sam, 'head.'))
    model.neck.no_mask.data.copy_(sam.prompt_encoder.no_mask_embed.weight[0])
    return nn.ModuleDict(dict(parts, sam=sam)), model


@pytest.mark.parametrize('training', [True, False], ids=['training', 'evaluation'])
@pytest.mark.parametrize('mask', ['best', 'stable'])
@pytest.mark.parametrize('lengths', [(7, 4, 3, 5, 6), (7, 7, 7, 7, 7)], ids=['padding', 'no padding'])
@torch.no_grad()
def test_the_whole_flow(mask, training, lengths, tmp_path):
    theirs, ours = both(mask, tmp_path)
    theirs.sam.train(training)
    inputs = batch(lengths=list(lengths))
    index, maps = inputs.expressions.image_index, theirs.sam.get_image_embeddings(inputs.images.pixels)
    expected = predict(theirs.sam, maps, prompts_of(theirs, inputs), index, mask)
    found = ours.train(training).encode_decode(inputs)
    # Chosen masks are of very different sizes.
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other)
    if not training:
        # And on to pixels of the original.
        original = (50, 90)
        masks = ours.protocol.masks(
            ours.protocol.to_original_pixels(found, stretch_affine(original, (SIZE, SIZE)), (SIZE, SIZE), original))
        at_original = F.interpolate(expected, size=original, mode='bilinear', align_corners=False)[:, 0]
        sure = at_original.abs() > 1e-4 * at_original.abs().amax(dim=(1, 2), keepdim=True)
        assert torch.equal(masks[sure], (at_original > 0)[sure]) and sure.float().mean() > 0.99


def test_a_frozen_head_trains_the_prompt_by_the_first_mask(tmp_path):
    """It stays in evaluation mode, but is not evaluated: its plain rule is that of training."""
    theirs, ours = both('stable', tmp_path)
    inputs = batch()
    with torch.no_grad():
        maps, prompts = theirs.sam.get_image_embeddings(inputs.images.pixels), prompts_of(theirs, inputs)
        first = predict(theirs.sam.train(), maps, prompts, inputs.expressions.image_index, 'stable')
    # In evaluation it would be another mask for some.
    assert 0 < is_stable(first).sum() < len(first)
    ours.train().head.requires_grad_(False).eval()
    found = ours.encode_decode(inputs)
    assert_close(found.detach(), first)
    found.sum().backward()
    assert all(value.grad.any() for value in ours.neck.projection.parameters())
