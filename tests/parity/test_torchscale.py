"""Our BEiT-3 against torchscale's, which its authors published their weights for."""

import pytest
import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.drop import drop_path
from torchscale.architecture.config import EncoderConfig
from torchscale.component import droppath
from torchscale.model.BEiT3 import BEiT3

from mmris.checkpoints.published.beit3 import KEY_MAP
from mmris.models.encoders import BEiT3Encoder
from mmris.structures import ExpressionBatch, ImageInputs
from tests.conftest import assert_close

PATCH, TOKENS = 32, 7
ARCHITECTURE = dict(
    layers=5,
    channels=48,
    heads=4,
    feedforward_channels=80,
    patch_size=PATCH,
    image_size=224,
    vocabulary=60,
    text_positions=12)


def torchscale_model(**options):
    """torchscale's model at the size of these tests."""
    return torchscale_model_of(ARCHITECTURE, **options)


def torchscale_model_of(architecture, **options):
    """torchscale's model, set up as BEiT-3's published code does."""
    return BEiT3(
        EncoderConfig(
            img_size=architecture['image_size'],
            patch_size=architecture['patch_size'],
            vocab_size=architecture['vocabulary'],
            max_source_positions=architecture['text_positions'],
            multiway=True,
            layernorm_embedding=False,
            no_output_layer=True,
            encoder_embed_dim=architecture['channels'],
            encoder_attention_heads=architecture['heads'],
            encoder_ffn_embed_dim=architecture['feedforward_channels'],
            encoder_layers=architecture['layers'],
            **options)).eval()


def both(tmp_path, size, normed):
    """torchscale's model at a size, with random weights throughout, and our encoder of its weights for 224 pixels."""
    torch.manual_seed(0)
    theirs = torchscale_model(normalize_output=normed)
    for value in theirs.parameters():
        # Norms and tokens begin as ones and zeros, which would hide much.
        value.data += 0.3 * torch.randn_like(value)
    weights = {f'beit3.{name}': value for name, value in theirs.state_dict().items()}
    torch.save(dict(model=weights), tmp_path / 'beit3.pth')
    ours = BEiT3Encoder(
        architecture=ARCHITECTURE,
        pretrained=str(tmp_path / 'beit3.pth'),
        taps=range(1, 6),
        norm_last_stage=normed)
    ours.init_weights()
    if size != (224, 224):
        positions = theirs.encoder.embed_positions.A
        positions.weight.data = resized(positions.weight, size)
        theirs.vision_embed.img_size = size
    return theirs, ours.eval()


@torch.no_grad()
def resized(positions, size):
    """As BEiT-3's published code does for another size: all but two unused rows and the class token's."""
    grid = positions[3:].reshape(1, 7, 7, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=[side // PATCH for side in size], mode='bicubic', align_corners=False)
    return torch.cat((positions[:3], grid.permute(0, 2, 3, 1).flatten(1, 2)[0]))


def expressions(lengths):
    token_mask = torch.arange(TOKENS) < torch.tensor(lengths)[:, None]
    ids = torch.randint(0, 60, token_mask.shape, generator=torch.Generator().manual_seed(1))
    return ExpressionBatch(ids, token_mask, torch.arange(len(lengths)))


@torch.no_grad()
def run(theirs, ours, pixels, given, seed=0):
    """torchscale's hidden states after each layer and its output, and our output, both from the same random state."""
    hidden = []
    torch.manual_seed(seed)
    hooks = [layer.register_forward_hook(lambda _, __, output: hidden.append(output[0]))
             for layer in theirs.encoder.layers]
    padding = None if given.token_mask.all() else ~given.token_mask
    output = theirs(textual_tokens=given.token_ids, visual_tokens=pixels, text_padding_position=padding)
    for hook in hooks:
        hook.remove()
    torch.manual_seed(seed)
    box = torch.tensor([[0.0, 0.0, *pixels.shape[:1:-1]]]).repeat(len(pixels), 1)
    image = ours.encode_image(ours.embed_image(ImageInputs(pixels, box)))
    found = ours.join(image, ours.encode_text(ours.embed_text(given)), given.image_index)
    assert output['multiway_split_position'] == 1 + found.image.patches.size(1)
    return hidden, output['encoder_out'], found


def sequence(found, stage):
    """A stage of ours as one sequence, in torchscale's order."""
    image = found.image.stages[stage].flatten(2).transpose(1, 2)
    return torch.cat((found.image.class_stages[stage][:, None], image, found.text.stages[stage]), dim=1)


@pytest.mark.parametrize('normed', [True, False], ids=['final norm', 'no final norm'])
@pytest.mark.parametrize('lengths', [(7, 4, 2), (7, 7, 7)], ids=['padding', 'no padding'])
@pytest.mark.parametrize('size', [(224, 224), (288, 288), (160, 288)])
def test_same_weights_same_features(tmp_path, size, lengths, normed):
    theirs, ours = both(tmp_path, size, normed)
    hidden, output, found = run(theirs, ours, torch.randn(3, 3, *size), expressions(lengths))
    assert len(found.image.stages) == len(hidden) == 5
    for stage in range(4):
        assert_close(sequence(found, stage), hidden[stage])
    assert_close(sequence(found, 4), output)
    assert not normed or (output - hidden[4]).abs().max() > 0.1, 'the final norm changes nothing'
    count = 1 + found.image.patches.size(1)
    assert_close(found.image.image_global, output[:, 0])
    assert_close(found.image.patches, output[:, 1:count])
    assert_close(found.text.sentence, output[:, count])
    for words in (found.text.words, found.text.words_joint):
        assert_close(words, output[:, count:])


def test_same_begin():
    """From scratch: each tensor is drawn from the same kind of distribution, equally wide."""
    torch.manual_seed(0)
    ours = KEY_MAP.to_theirs(BEiT3Encoder(architecture=ARCHITECTURE).state_dict(), 'test')
    theirs = {f'beit3.{name}': value for name, value in torchscale_model().state_dict().items()}
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        assert ours[name].shape == expected.shape
        if expected.dim() == 1 or 'token' in name:
            # Few numbers; those of norms are ones and zeros.
            assert extent(ours[name]) == pytest.approx(extent(expected), rel=0 if 'norm' in name else 0.3), name
        else:
            assert ours[name].std().item() == pytest.approx(expected.std().item(), rel=0.1), name
            assert extent(ours[name]) == pytest.approx(extent(expected), rel=0.3), name


def extent(values):
    return values.abs().max().item()


def test_same_drop_path_rates():
    ours, theirs = BEiT3Encoder(architecture=ARCHITECTURE, drop_path=0.3), torchscale_model(drop_path_rate=0.3)
    rates = [layer.drop_path.drop_prob for layer in theirs.encoder.layers]
    assert [layer.drop_path.drop_prob for layer in ours.layers] == pytest.approx(rates)


def test_same_dropped_paths(monkeypatch):
    """In training, with the same random numbers: a branch is dropped for a sample's whole sequence."""
    # timm's function, which torchscale takes, draws other numbers of the same distribution.
    monkeypatch.setattr(droppath, 'drop_path', drop_path)
    torch.manual_seed(0)
    ours = BEiT3Encoder(architecture=ARCHITECTURE, taps=range(1, 6), drop_path=0.5)
    theirs = torchscale_model(drop_path_rate=0.5)
    state = KEY_MAP.to_theirs(ours.state_dict(), 'test')
    theirs.load_state_dict({name.removeprefix('beit3.'): value for name, value in state.items()})
    ours.train(), theirs.train()
    pixels, given = torch.randn(6, 3, 224, 224), expressions([7, 5, 4, 6, 3, 2])
    hidden, output, found = run(theirs, ours, pixels, given, seed=2)
    for stage in range(4):
        assert_close(sequence(found, stage), hidden[stage])
    assert_close(sequence(found, 4), output)
