"""Checkpoints in the layout of BEiT-3's published code, and ours."""

import argparse

import pytest
import torch

from mmris.checkpoints import UnreadableCheckpointError, read_checkpoint, read_published
from mmris.checkpoints.published import BEIT3, KeyMapError
from mmris.checkpoints.published.beit3 import ARCHITECTURES, KEY_MAP
from mmris.models.encoders import BEiT3Encoder
from tests.checkpoints.published.beit3_files import HEADS, published
from tests.checkpoints.published.conversions import converter
from tests.checkpoints.published.toy_joint import ARCHITECTURE, CHANNELS, LAYERS
from tests.conftest import assert_same


@pytest.fixture
def convert(monkeypatch, capsys):
    """Run the tool in this process; what it prints."""
    return converter(monkeypatch, capsys, 'beit3')


class TestMap:

    @pytest.mark.parametrize('task', [None, *HEADS, 'retrieval'])
    def test_there_and_back(self, task):
        """No key is left over; what the encoder has not comes back too."""
        weights = published(task)
        ours = KEY_MAP.to_ours(weights, 'test')
        encoder = BEiT3Encoder(architecture=ARCHITECTURE, taps=(LAYERS, ))
        excluded = [name for name in ours if name.startswith('excluded.')]
        assert len(excluded) == 1 + len([name for name in weights if not name.startswith('beit3.')])
        encoder.load_state_dict({name: value for name, value in ours.items() if name not in excluded})
        assert_same(KEY_MAP.to_theirs(ours, 'test'), weights)

    def test_weights_that_were_never_of_beit3(self):
        """They have no mask token, which its loader asks for."""
        state = BEiT3Encoder(architecture=ARCHITECTURE, taps=(LAYERS, )).state_dict()
        theirs = KEY_MAP.to_theirs(state, 'test')
        assert theirs.keys() == published().keys()
        assert_same(theirs['beit3.vision_embed.mask_token'], torch.zeros(1, 1, CHANNELS))

    def test_unknown_keys(self):
        strange = {'beit3.encoder.layers.0.gate.weight': torch.zeros(1), 'beit3.encoder.relative': torch.zeros(1)}
        message = 'no rule knows: beit3.encoder.layers.0.gate.weight, beit3.encoder.relative, dropped_head.weight'
        with pytest.raises(KeyMapError, match=message):
            KEY_MAP.to_ours({**published(), **strange, 'dropped_head.weight': torch.zeros(1)}, 'test')

    def test_a_joint_space_is_not_beit3s(self):
        state = BEiT3Encoder(architecture=ARCHITECTURE, taps=(LAYERS, ), joint_channels=8).state_dict()
        with pytest.raises(KeyMapError, match='no rule knows: image_projection.weight, text_projection.weight'):
            KEY_MAP.to_theirs(state, 'test')


class TestReading:

    @pytest.mark.parametrize('wrap', [
        lambda state: dict(model=state),
        lambda state: dict(module=state, epoch=3, optimizer=dict(lr=0.1)),
        lambda state: state,
    ], ids=['model', 'module', 'none'])
    def test_published(self, tmp_path, wrap):
        weights = published('pretraining')
        torch.save(wrap(weights), tmp_path / 'beit3.pth')
        found = read_published(BEIT3, str(tmp_path / 'beit3.pth'))
        ours = KEY_MAP.to_ours(weights, 'test')
        assert_same(found.state, {name: value for name, value in ours.items() if not name.startswith('excluded.')})
        heads = {'mim_head.weight', 'mim_head.bias', 'mlm_head.weight', 'mlm_head.bias'}
        assert found.excluded.keys() == {'mask_token', *heads} and found.others == ()
        assert found.source == str(tmp_path / 'beit3.pth')

    def test_a_model_trained_here(self, tmp_path):
        encoder = BEiT3Encoder(architecture=ARCHITECTURE, taps=(LAYERS, ), joint_channels=8)
        state = {f'encoder.{name}': value for name, value in encoder.state_dict().items()}
        torch.save(dict(state_dict={**state, 'neck.weight': torch.zeros(1)}), tmp_path / 'epoch_1.pth')
        found = read_published(BEIT3, str(tmp_path / 'epoch_1.pth'))
        assert_same(found.state, {
            name: value.detach() for name, value in encoder.state_dict().items() if 'projection' not in name})
        assert found.others == ('encoder.image_projection.weight', 'encoder.text_projection.weight', 'neck.weight')

    def test_an_encoder_alone(self, tmp_path):
        """Its joint space is passed over, other keys are an error."""
        state = BEiT3Encoder(architecture=ARCHITECTURE, taps=(LAYERS, ), joint_channels=8).state_dict()
        torch.save(state, tmp_path / 'encoder.pth')
        found = read_published(BEIT3, str(tmp_path / 'encoder.pth'))
        assert found.others == ('image_projection.weight', 'text_projection.weight')
        assert_same(found.state, {name: value for name, value in state.items() if name not in found.others})
        torch.save({**state, 'layers.0.gate': torch.zeros(1)}, tmp_path / 'encoder.pth')
        with pytest.raises(KeyMapError, match='encoder.pth: .* no rule of BEiT-3 knows: layers.0.gate'):
            read_published(BEIT3, str(tmp_path / 'encoder.pth'))

    def test_measures(self):
        ours = KEY_MAP.to_ours(published(), 'test')
        assert ARCHITECTURES.measure(ours) == {name: value for name, value in ARCHITECTURE.items() if name != 'heads'}
        for name in ('text_positions', 'layers.0.image.feedforward.0.weight', 'patch_embedding.weight'):
            assert ARCHITECTURES.measure({key: value for key, value in ours.items() if key != name}) is None
        for value in (torch.zeros(2, 3), torch.zeros(4), torch.zeros(2, 3, 4)):
            assert ARCHITECTURES.measure({**ours, 'image_positions': value}) is None

    def test_files_of_something_else(self, tmp_path):
        path = tmp_path / 'other.pth'
        torch.save(dict(model={'conv1.weight': torch.zeros(1)}), path)
        with pytest.raises(UnreadableCheckpointError, match='no BEiT-3 weights by the keys of BEiT-3 or mmris, but '):
            read_published(BEIT3, str(path))
        torch.save(dict(model={**published(), 'epoch': [3]}), path)
        with pytest.raises(UnreadableCheckpointError, match='holds values that are not tensors: epoch'):
            read_published(BEIT3, str(path))

    def test_trust(self, tmp_path):
        """Training saves its arguments too; published files hold weights alone."""
        weights, path = published(), tmp_path / 'checkpoint-9.pth'
        torch.save(dict(model=weights, args=argparse.Namespace(epochs=10)), path)
        with pytest.raises(UnreadableCheckpointError, match='trust_pretrained=True of the encoder reads it'):
            read_published(BEIT3, str(path))
        assert len(read_published(BEIT3, str(path), trust=True).state) == len(weights) - 1


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
        assert 'Not converted: encoder.image_projection, encoder.text_projection, neck.fuse\n' in printed
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
    def test_a_suffix_of_no_format(self, convert, tmp_path, layout, name, formats):
        (tmp_path / 'beit3.pth').touch()
        with pytest.raises(ValueError, match=f'{layout} is written to a .* ends with {formats}, but out is {name}'):
            convert(tmp_path / 'beit3.pth', name, '--to', layout)
