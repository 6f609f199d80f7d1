"""EVF-SAM's whole flow against torchscale's BEiT-3 joined to segment-anything, as its published code joins them."""

from pathlib import Path

import pytest
import torch
from torch import nn

from mmris.protocols.geometry import longest_side_affine, longest_side_size
from mmris.registry import MODELS
from mmris.structures import ReferringInputs
from tests.conftest import assert_close
from tests.models.toy_evf_sam import BEIT3, CONFIG, SIZE, TOWER, batch
from tests.parity.sam_references import decoder, head_state, image_encoder, predict, randomised, tower_state
from tests.parity.test_torchscale import torchscale_model_of

CHANNELS = TOWER['out_channels']


def prompting(config: dict, folder: Path) -> tuple:
    """Their BEiT-3 and projector, and our model with the weights of these, the rest of it at random."""
    beit3 = randomised(torchscale_model_of(BEIT3, normalize_output=True))
    projector = nn.Sequential(nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, CHANNELS))
    torch.save(dict(model={f'beit3.{name}': value for name, value in beit3.state_dict().items()}), folder / 'b.pth')
    joint = dict(config['encoder']['joint'], pretrained=str(folder / 'b.pth'))
    model = MODELS.build(dict(config, encoder=dict(config['encoder'], joint=joint)))
    model.init_weights()
    model.neck.projection.load_state_dict(projector.state_dict())
    return dict(beit3=beit3, projector=projector), model


def prompts_of(theirs: nn.ModuleDict, inputs: ReferringInputs) -> torch.Tensor:
    """As their code makes them, ``(P, C)``."""
    given = inputs.expressions
    output = theirs.beit3(
        visual_tokens=inputs.images.view('joint').pixels[given.image_index],
        textual_tokens=given.token_ids,
        text_padding_position=~given.token_mask)
    return theirs.projector(output['encoder_out'][:, 0])


@pytest.fixture
def both(tmp_path):
    """Theirs, as a dict of modules, and our model with their weights."""
    torch.manual_seed(0)
    parts, model = prompting(CONFIG, tmp_path)
    theirs = nn.ModuleDict(dict(parts, tower=image_encoder(TOWER), sam=decoder(CHANNELS, (8, 8), heads=2)))
    model.encoder.segmenter.load_state_dict(tower_state(theirs.tower))
    model.neck.no_mask.data.copy_(theirs.sam.prompt_encoder.no_mask_embed.weight[0])
    model.head.load_state_dict(head_state(theirs.sam))
    return theirs.eval(), model.eval()


@pytest.mark.parametrize('lengths', [(7, 4, 3, 5, 6), (7, 7, 7, 7, 7)], ids=['padding', 'no padding'])
@torch.no_grad()
def test_the_whole_flow(both, lengths):
    theirs, ours = both
    inputs = batch(lengths=list(lengths))
    maps = theirs.tower(inputs.images.pixels)
    expected = predict(theirs.sam, maps, prompts_of(theirs, inputs), inputs.expressions.image_index)
    found = ours.encode_decode(inputs)
    assert_close(found, expected)
    # And on to pixels of the original, one that filled the upper 40 rows.
    original = (50, 80)
    assert longest_side_size(original, (SIZE, SIZE)) == (40, SIZE)
    masks = ours.protocol.masks(
        ours.protocol.to_original_pixels(found, longest_side_affine(original, (SIZE, SIZE)), (SIZE, SIZE), original))
    at_input = nn.functional.interpolate(expected, size=(SIZE, SIZE), mode='bilinear', align_corners=False)
    at_original = nn.functional.interpolate(
        at_input[..., :40, :], size=original, mode='bilinear', align_corners=False)[:, 0]
    sure = at_original.abs() > 1e-4 * at_original.abs().max()
    assert torch.equal(masks[sure], (at_original > 0)[sure]) and sure.float().mean() > 0.99


def test_weights_of_beit3_are_named_through_the_encoder(both):
    _, ours = both
    assert 'joint.layers' in ours.encoder.pretrained_parts and 'joint.image_positions' in ours.encoder.pretrained_parts
    assert not any(name.startswith('segmenter') for name in ours.encoder.pretrained_parts)
