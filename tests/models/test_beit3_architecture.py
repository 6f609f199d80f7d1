"""BEiT-3's architectures, and published weights into them."""

import argparse

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mmris.checkpoints import UnreadableCheckpointError
from mmris.checkpoints.published.beit3 import ARCHITECTURES, KEY_MAP
from mmris.command_line.arguments import add_config_arguments
from mmris.models.encoders import BEiT3Encoder
from mmris.structures import ExpressionBatch, ImageInputs
from mmris.utils.configs import read_config
from tests.conftest import ROOT, assert_same
from tests.models.test_beit3_encoder import ARCHITECTURE, build, encode


class TestSize:
    """Against the numbers of the method, for a model of 480 pixels and sentences of 20 tokens."""

    def test_base(self):
        with torch.device('meta'), torch.no_grad():
            encoder = BEiT3Encoder(architecture=dict(image_size=480)).eval()
            given = ImageInputs(torch.empty(1, 3, 480, 480), torch.empty(1, 4))
            text = ExpressionBatch(
                torch.zeros(1, 20, dtype=torch.int64), torch.ones(1, 20) > 0, torch.zeros(1, dtype=torch.int64))
            with FlopCounterMode(display=False) as counter:
                output = encode(encoder, given, text)
        assert sum(value.numel() for value in encoder.parameters()) == pytest.approx(221.53e6, abs=0.005e6)
        # Embedding; per token and layer four maps and the feedforward; two products of the attention.
        tokens = 1 + 900 + 20
        layer = tokens * (4 * 768**2 + 2 * 768 * 3072) + 2 * tokens**2 * 768
        assert counter.get_total_flops() // 2 == 900 * 768 * 3 * 16**2 + 12 * layer
        assert [stage.shape for stage in output.image.stages] == [(1, 768, 30, 30)] * 4

    def test_large(self):
        with torch.device('meta'):
            encoder = BEiT3Encoder(architecture='large')
        # BEiT-3's authors: 674M, with two maps for retrieval.
        assert sum(value.numel() for value in encoder.parameters()) + 2 * 1024**2 == pytest.approx(674e6, abs=1e6)
        assert encoder.taps == (6, 12, 18, 24) and len(encoder.layers) == 24


def published(tmp_path, **options):
    """A file in the published layout, and what it holds by our keys."""
    torch.manual_seed(1)
    weights = BEiT3Encoder(**{**dict(architecture=ARCHITECTURE), **options}).state_dict()
    path = tmp_path / 'beit3.pth'
    torch.save(dict(model=dict(KEY_MAP.to_theirs(weights, 'test'), **{'mlm_head.bias': torch.zeros(90)})), path)
    return str(path), weights


class TestPretrained:

    def test_loaded_by_init_weights(self, tmp_path):
        path, weights = published(tmp_path)
        encoder = build(pretrained=path, joint_channels=24)
        assert not torch.equal(encoder.state_dict()['word_embedding.weight'], weights['word_embedding.weight'])
        projection = encoder.image_projection.weight.clone()
        encoder.init_weights()
        assert_same({name: encoder.state_dict()[name] for name in weights}, dict(weights))
        assert torch.equal(encoder.image_projection.weight, projection)

    def test_final_norm(self, tmp_path):
        """What the encoder has not is left out; what the file has not is said."""
        path, weights = published(tmp_path)
        encoder = build(pretrained=path, norm_last_stage=False)
        encoder.init_weights()
        assert_same(dict(encoder.state_dict()), {name: weights[name] for name in encoder.state_dict()})
        path, _ = published(tmp_path, norm_last_stage=False)
        with pytest.raises(RuntimeError, match=r'beit3.pth does not fit .* without the final LayerNorm: set '
                           r'norm_last_stage=False. Missing: image_norm.weight, .* Left over: none.'):
            build(pretrained=path).init_weights()
        path, _ = published(tmp_path, architecture=dict(ARCHITECTURE, image_size=96), norm_last_stage=False)
        with pytest.raises(RuntimeError, match='fit the BEiT-3 of the config. Set in architecture .* image_size=96 in'):
            build(pretrained=path, norm_last_stage=False).init_weights()

    def test_another_input_size(self, tmp_path):
        path, _ = published(tmp_path, architecture=dict(ARCHITECTURE, image_size=480))
        message = (r'Set in architecture what the file has: image_size=480 instead of 64. .* Of another shape: '
                   r'image_positions \(903, 32\) in the file, \(19, 32\) in the model.')
        with pytest.raises(RuntimeError, match=message):
            build(pretrained=path).init_weights()
        build(pretrained=path, architecture=dict(ARCHITECTURE, image_size=480)).init_weights()
        path, _ = published(tmp_path, architecture=dict(ARCHITECTURE, image_size=480), norm_last_stage=False)
        with pytest.raises(RuntimeError, match='set norm_last_stage=False. Set in architecture .*: image_size=480 '):
            build(pretrained=path).init_weights()

    @pytest.mark.parametrize('change, message', [
        (dict(channels=16, heads=2), 'channels=16 instead of 32, feedforward_channels=64 instead of 128. Its heads'),
        (dict(layers=5), 'layers=5 instead of 4. Missing: none. Left over: layers.4.image'),
        (dict(vocabulary=100, text_positions=9), 'vocabulary=100 instead of 90, text_positions=9 instead of 14. Its '
         '100 words are those of the tokenizer .* beit3.spm, of 64010 words.. Missing'),
        (dict(patch_size=8), 'patch_size=8 instead of 16. Missing'),
    ])
    def test_another_architecture(self, tmp_path, change, message):
        path, _ = published(tmp_path, architecture=dict(ARCHITECTURE, **change), taps=(change.get('layers', 4), ))
        with pytest.raises(RuntimeError, match=f'Set in architecture what the file has: .*{message}'):
            build(pretrained=path).init_weights()

    @pytest.mark.parametrize('architecture, found', [
        ('base', "'base'"),
        (dict(name='base', image_size=480), r"dict\(name='base', image_size=480\)"),
        (dict(name='large', image_size=384, vocabulary=99), r"dict\(name='large', image_size=384, vocabulary=99\)"),
    ])
    def test_a_known_architecture(self, tmp_path, architecture, found):
        """By what it is told of itself, also where fine-tuning made something otherwise."""
        with torch.device('meta'):
            weights = KEY_MAP.to_theirs(BEiT3Encoder(architecture=architecture).state_dict(), 'test')
        path = tmp_path / 'known.pth'
        # One number stands for all of a tensor.
        torch.save({name: torch.zeros(1).expand(value.shape) for name, value in weights.items()}, path)
        with pytest.raises(RuntimeError, match=f'known.pth does not fit .* It is of architecture={found}: set that.'):
            build(pretrained=str(path)).init_weights()

    def test_missing(self):
        with pytest.raises(FileNotFoundError, match='There is no checkpoint data/none.pth. docs/pretrained.md says '
                           'where BEiT-3\'s files come from'):
            build(pretrained='data/none.pth').init_weights()

    def test_a_part(self, tmp_path):
        path, _ = published(tmp_path)
        state = torch.load(path)['model']
        del state['beit3.encoder.embed_positions.A.weight']
        torch.save(state, path)
        with pytest.raises(RuntimeError, match='not hold a whole BEiT-3. Missing: image_positions. Left over: none.'):
            build(pretrained=path).init_weights()
        # What else is not there tells nothing of how it was trained.
        torch.save({name: value for name, value in state.items() if 'encoder.layer_norm' not in name}, path)
        with pytest.raises(RuntimeError, match='the config. The file does not hold a whole BEiT-3. Missing: image_po'):
            build(pretrained=path).init_weights()

    def test_trust(self, tmp_path):
        path, weights = published(tmp_path)
        torch.save(dict(torch.load(path), args=argparse.Namespace(epochs=10)), path)
        with pytest.raises(UnreadableCheckpointError, match='trust_pretrained=True of the encoder reads it'):
            build(pretrained=path).init_weights()
        encoder = build(pretrained=path, trust_pretrained=True)
        encoder.init_weights()
        assert_same(dict(encoder.state_dict()), dict(weights))


def test_a_name_and_what_is_otherwise():
    large, tall = (ARCHITECTURES.complete(one) for one in ('large', dict(name='large', image_size=480)))
    assert tall == dict(large, image_size=480) and large['image_size'] == 224 and large['channels'] == 1024
    assert ARCHITECTURES.complete(dict(name='large', channels=512))['feedforward_channels'] == 2048
    assert ARCHITECTURES.complete(dict()) == ARCHITECTURES.complete(dict(name='base')) == ARCHITECTURES.complete('base')


def test_options_of_the_command_line_that_the_documentation_names():
    """A name in a config becomes a name with another size."""
    documented = (ROOT / 'docs/pretrained.md').read_text().split('model.encoder.architecture._delete_=True', 1)
    options = ['model.encoder.architecture._delete_=True', *documented[1].splitlines()[0].split()]
    parser = argparse.ArgumentParser()
    add_config_arguments(parser)
    config = read_config(
        parser.parse_args([str(ROOT / 'configs/shared_ris/beit3-l_refcoco.py'), '--cfg-options', *options]))
    assert ARCHITECTURES.complete(config.model.encoder.architecture) == dict(
        ARCHITECTURES.complete('large'), image_size=480)


@pytest.mark.parametrize('architecture, message', [
    ('huge', "architecture 'huge' is no BEiT-3. Known: base, large, or a dict of one of these as name and"),
    (dict(name='huge'), "architecture 'huge' is no BEiT-3"),
    (['base'], r"architecture \['base'\] is no BEiT-3"),
    (dict(depth=3), 'architecture has entries that BEiT-3 has not: depth. It takes name, layers, channels'),
    (dict(layers=4.0), 'layers of the architecture must be a whole number of at least 1, but got 4.0'),
    (dict(layers='4'), "layers of the architecture must be a whole number of at least 1, but got '4'"),
    (dict(channels=None), 'channels of the architecture must be a whole number of at least 1, but got None'),
    (dict(channels=30), 'channels of the architecture must be a multiple of heads, but got 30 and 12'),
    (dict(image_size=230), 'image_size of the architecture must be a multiple of patch_size, but got 230 and 16'),
    (dict(vocabulary=0), 'vocabulary of the architecture must be a whole number of at least 1, but got 0'),
])
def test_what_is_no_architecture(architecture, message):
    with pytest.raises(ValueError, match=message):
        BEiT3Encoder(architecture=architecture)


@pytest.mark.parametrize('taps', [(1, 2), (2, 1, 4), (0, 4), (1, 5), ()])
def test_taps(taps):
    with pytest.raises(ValueError, match='taps must increase, begin at 1 or later, and end at the last of 4'):
        build(taps=taps)


@pytest.mark.parametrize('taps', [4, '1234', (1, 4.0)])
def test_what_are_no_taps(taps):
    message = r'taps of BEiT3Encoder must be whole numbers in a list, such as \(2, 3, 4\), but got'
    with pytest.raises(ValueError, match=message):
        build(taps=taps)


def test_no_default_taps():
    with pytest.raises(ValueError, match=r'BEiT3Encoder of 3 layers has no default taps.*set taps=\(3,\)'):
        build(architecture=dict(ARCHITECTURE, layers=3))


@pytest.mark.parametrize('drop_path', [-0.1, 1])
def test_a_share_out_of_range(drop_path):
    with pytest.raises(ValueError, match=r'drop_path of BEiT3Encoder is a share in \[0, 1\)'):
        build(drop_path=drop_path)
