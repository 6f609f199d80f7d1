"""Checkpoints in the layout of BEiT-3's published code, and ours."""

import argparse
import runpy
import sys

import pytest
import torch

from mmris.checkpoints import UnreadableCheckpointError, measure_beit3, read_beit3_weights, read_checkpoint
from mmris.checkpoints.key_maps import KeyMapError
from mmris.checkpoints.key_maps.beit3 import BEIT3, to_beit3
from mmris.models.encoders import BEiT3Encoder
from tests.conftest import ROOT, assert_same

TOOL = ROOT / 'tools' / 'model_converters' / 'convert_beit3.py'
LAYERS, CHANNELS, FEEDFORWARD, VOCABULARY = 2, 16, 48, 30
ARCHITECTURE = dict(
    layers=LAYERS,
    channels=CHANNELS,
    heads=2,
    feedforward_channels=FEEDFORWARD,
    patch_size=8,
    image_size=32,
    vocabulary=VOCABULARY,
    text_positions=12)
# Heads of the published files, by the code that made them.
HEADS = {
    'pretraining':
    dict(mim_head=(20, CHANNELS), mlm_head=(VOCABULARY, CHANNELS)),
    'classification': {
        'fc_norm': (CHANNELS, ),
        'head': (7, CHANNELS)
    },
    'NLVR2': {
        'head.norm1': (4 * CHANNELS, ),
        'head.dense1': (2 * CHANNELS, 4 * CHANNELS),
        'head.norm2': (2 * CHANNELS, ),
        'head.dense2': (2, 2 * CHANNELS)
    },
    'VQA': {
        'pooler.norm': (CHANNELS, ),
        'pooler.dense': (CHANNELS, CHANNELS),
        'head.0': (2 * CHANNELS, CHANNELS),
        'head.1': (2 * CHANNELS, ),
        'head.3': (7, 2 * CHANNELS)
    },
}


def published(task=None):
    """Random weights as the published code names and shapes them, written out from its modules."""
    shapes = {
        'text_embed.weight': (VOCABULARY, CHANNELS),
        'vision_embed.mask_token': (1, 1, CHANNELS),
        'vision_embed.cls_token': (1, 1, CHANNELS),
        'vision_embed.proj.weight': (CHANNELS, 3, 8, 8),
        'vision_embed.proj.bias': (CHANNELS, ),
        'encoder.embed_positions.A.weight': (16 + 1 + 2, CHANNELS),
        'encoder.embed_positions.B.weight': (12, CHANNELS),
    }
    for way in 'AB':
        for layer in range(LAYERS):
            begin = f'encoder.layers.{layer}'
            for name in 'kvq':
                shapes.update(with_bias(f'{begin}.self_attn.{name}_proj.{way}', (CHANNELS, CHANNELS)))
            shapes.update(with_bias(f'{begin}.self_attn.out_proj.{way}', (CHANNELS, CHANNELS)))
            shapes.update(with_bias(f'{begin}.self_attn.inner_attn_ln.{way}', (CHANNELS, )))
            shapes.update(with_bias(f'{begin}.self_attn_layer_norm.{way}', (CHANNELS, )))
            shapes.update(with_bias(f'{begin}.ffn.{way}.fc1', (FEEDFORWARD, CHANNELS)))
            shapes.update(with_bias(f'{begin}.ffn.{way}.fc2', (CHANNELS, FEEDFORWARD)))
            shapes.update(with_bias(f'{begin}.ffn.{way}.ffn_layernorm', (FEEDFORWARD, )))
            shapes.update(with_bias(f'{begin}.final_layer_norm.{way}', (CHANNELS, )))
        shapes.update(with_bias(f'encoder.layer_norm.{way}', (CHANNELS, )))
    shapes = {f'beit3.{name}': shape for name, shape in shapes.items()}
    if task == 'retrieval':
        shapes.update({'language_head.weight': (16, 16), 'vision_head.weight': (16, 16), 'logit_scale': ()})
    elif task is not None:
        for name, shape in HEADS[task].items():
            shapes.update(with_bias(name, shape))
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def with_bias(name, shape):
    return {f'{name}.weight': shape, f'{name}.bias': shape[:1]}


@pytest.fixture
def convert(monkeypatch, capsys):
    """Run the tool in this process; what it prints."""

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, arguments)])
        runpy.run_path(str(TOOL), run_name='__main__')
        return capsys.readouterr().out

    return run


class TestMap:

    @pytest.mark.parametrize('task', [None, *HEADS, 'retrieval'])
    def test_there_and_back(self, task):
        """No key is left over; what the encoder has not comes back too."""
        weights = published(task)
        ours = BEIT3.to_ours(weights, 'test')
        encoder = BEiT3Encoder(architecture=ARCHITECTURE, taps=(LAYERS, ))
        left_out = [name for name in ours if name.startswith('left_out.')]
        assert len(left_out) == 1 + len([name for name in weights if not name.startswith('beit3.')])
        encoder.load_state_dict({name: value for name, value in ours.items() if name not in left_out})
        assert_same(to_beit3(ours, 'test'), weights)

    def test_weights_that_were_never_of_beit3(self):
        """They have no mask token, which its loader asks for."""
        state = BEiT3Encoder(architecture=ARCHITECTURE, taps=(LAYERS, )).state_dict()
        theirs = to_beit3(state, 'test')
        assert theirs.keys() == published().keys()
        assert_same(theirs['beit3.vision_embed.mask_token'], torch.zeros(1, 1, CHANNELS))

    def test_unknown_keys(self):
        strange = {'beit3.encoder.layers.0.gate.weight': torch.zeros(1), 'beit3.encoder.relative': torch.zeros(1)}
        message = 'no rule knows: beit3.encoder.layers.0.gate.weight, beit3.encoder.relative, dropped_head.weight'
        with pytest.raises(KeyMapError, match=message):
            BEIT3.to_ours({**published(), **strange, 'dropped_head.weight': torch.zeros(1)}, 'test')

    def test_a_joint_space_is_not_beit3s(self):
        state = BEiT3Encoder(architecture=ARCHITECTURE, taps=(LAYERS, ), joint_channels=8).state_dict()
        with pytest.raises(KeyMapError, match='no rule knows: image_projection.weight, text_projection.weight'):
            to_beit3(state, 'test')


class TestReading:

    @pytest.mark.parametrize('wrap', [
        lambda state: dict(model=state),
        lambda state: dict(module=state, epoch=3, optimizer=dict(lr=0.1)),
        lambda state: state,
    ], ids=['model', 'module', 'none'])
    def test_published(self, tmp_path, wrap):
        weights = published('pretraining')
        torch.save(wrap(weights), tmp_path / 'beit3.pth')
        found = read_beit3_weights(str(tmp_path / 'beit3.pth'))
        ours = BEIT3.to_ours(weights, 'test')
        assert_same(found.encoder, {name: value for name, value in ours.items() if not name.startswith('left_out.')})
        heads = {'mim_head.weight', 'mim_head.bias', 'mlm_head.weight', 'mlm_head.bias'}
        assert found.left_out.keys() == {'mask_token', *heads} and found.others == ()
        assert found.source == str(tmp_path / 'beit3.pth')

    def test_a_model_trained_here(self, tmp_path):
        encoder = BEiT3Encoder(architecture=ARCHITECTURE, taps=(LAYERS, ), joint_channels=8)
        state = {f'encoder.{name}': value for name, value in encoder.state_dict().items()}
        torch.save(dict(state_dict={**state, 'neck.weight': torch.zeros(1)}), tmp_path / 'epoch_1.pth')
        found = read_beit3_weights(str(tmp_path / 'epoch_1.pth'))
        assert_same(found.encoder, {
            name: value.detach() for name, value in encoder.state_dict().items() if 'projection' not in name})
        assert found.others == ('encoder.image_projection.weight', 'encoder.text_projection.weight', 'neck.weight')

    def test_measures(self):
        ours = BEIT3.to_ours(published(), 'test')
        assert measure_beit3(ours) == {name: value for name, value in ARCHITECTURE.items() if name != 'heads'}
        for name in ('text_positions', 'layers.0.image.feedforward.0.weight', 'patch_embedding.weight'):
            assert measure_beit3({key: value for key, value in ours.items() if key != name}) is None
        for value in (torch.zeros(2, 3), torch.zeros(4), torch.zeros(2, 3, 4)):
            assert measure_beit3({**ours, 'image_positions': value}) is None

    def test_files_of_something_else(self, tmp_path):
        path = tmp_path / 'other.pth'
        torch.save(dict(model={'conv1.weight': torch.zeros(1)}), path)
        with pytest.raises(UnreadableCheckpointError, match='no weights by the keys of BEiT-3 or mmris, but conv1.w'):
            read_beit3_weights(str(path))
        torch.save(dict(model={**published(), 'epoch': 3}), path)
        with pytest.raises(UnreadableCheckpointError, match='holds values that are not tensors: epoch'):
            read_beit3_weights(str(path))

    def test_trust(self, tmp_path):
        """Training saves its arguments too; published files hold weights alone."""
        weights, path = published(), tmp_path / 'checkpoint-9.pth'
        torch.save(dict(model=weights, args=argparse.Namespace(epochs=10)), path)
        with pytest.raises(UnreadableCheckpointError, match='trust_pretrained=True of the encoder reads it'):
            read_beit3_weights(str(path))
        assert len(read_beit3_weights(str(path), trust=True).encoder) == len(weights) - 1


class TestCommand:

    @pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
    @pytest.mark.parametrize('task', ['pretraining', 'retrieval'])
    def test_there_and_back(self, convert, tmp_path, suffix, task):
        weights, ours, back = published(task), tmp_path / f'ours.{suffix}', tmp_path / 'back.pth'
        torch.save(dict(model=weights), tmp_path / 'beit3.pth')
        printed = convert(tmp_path / 'beit3.pth', ours)
        assert f'ours.{suffix}: {len(weights)} tensors of BEiT-3 (layers 2, channels 16' in printed
        convert(ours, back, '--to', 'beit3')
        # As its own code reads it.
        assert_same(torch.load(back, weights_only=True)['model'], weights)
        encoder = BEiT3Encoder(architecture=ARCHITECTURE, taps=(LAYERS, ), pretrained=str(ours))
        encoder.init_weights()
        assert torch.equal(encoder.word_embedding.weight, weights['beit3.text_embed.weight'])

    def test_a_model_trained_here(self, convert, tmp_path):
        encoder = BEiT3Encoder(architecture=ARCHITECTURE, taps=(LAYERS, ), joint_channels=8, norm_last_stage=False)
        state = {f'encoder.{name}': value for name, value in encoder.state_dict().items()}
        torch.save(dict(state_dict={**state, 'neck.fuse.weight': torch.zeros(1)}), tmp_path / 'epoch_1.pth')
        printed = convert(tmp_path / 'epoch_1.pth', tmp_path / 'beit3.pth', '--to', 'beit3')
        assert 'Left out, no part of BEiT-3: encoder.image_projection, encoder.text_projection, neck.fuse' in printed
        found = read_checkpoint(tmp_path / 'beit3.pth')['model']
        expected = {name for name in published() if not name.startswith('beit3.encoder.layer_norm')}
        assert found.keys() == expected

    def test_a_part(self, convert, tmp_path):
        weights = published()
        del weights['beit3.text_embed.weight']
        torch.save(weights, tmp_path / 'part.pth')
        with pytest.raises(ValueError, match='part.pth does not hold a whole BEiT-3.'):
            convert(tmp_path / 'part.pth', tmp_path / 'out.pth')
        assert not (tmp_path / 'out.pth').exists()

    @pytest.mark.parametrize('layout, name, formats', [('mmris', 'out.onnx', '.pth or .safetensors'),
                                                       ('beit3', 'out.safetensors', '.pth')])
    def test_a_suffix_of_no_format(self, convert, capsys, layout, name, formats):
        with pytest.raises(SystemExit):
            convert('beit3.pth', name, '--to', layout)
        assert f'{name} must end with {formats}' in capsys.readouterr().err
