"""Checkpoints in the layouts that BERT is published in, and ours."""

import pytest
import safetensors.torch
import torch

from mmris.checkpoints import UnreadableCheckpointError, read_checkpoint, read_published
from mmris.checkpoints.published import BERT, KeyMapError
from mmris.checkpoints.published.bert import ARCHITECTURES
from tests.checkpoints.published.bert_files import (
    ARCHITECTURE,
    CHANNELS,
    HEADS,
    LAYERS,
    POSITIONS,
    VOCABULARY,
    as_tensorflow,
    published,
)
from tests.checkpoints.published.conversions import converter
from tests.conftest import assert_same


@pytest.fixture
def convert(monkeypatch, capsys):
    return converter(monkeypatch, capsys, 'bert')


def to_ours(weights: dict) -> dict:
    return BERT.find_layout(weights).to_ours(weights, 'test')


def write(path, weights: dict, old: bool = False) -> str:
    torch.save(weights, path, _use_new_zipfile_serialization=not old)
    return str(path)


class TestMap:

    def test_a_layer_is_torch_s(self):
        """All of its weights, each where torch has it."""
        weights = published()
        ours = to_ours(weights)
        layer = torch.nn.TransformerEncoderLayer(CHANNELS, HEADS, ARCHITECTURE['feedforward_channels'])
        layer.load_state_dict({
            name.removeprefix('layers.1.'): value for name, value in ours.items() if name.startswith('layers.1.')})
        theirs = 'encoder.layer.1'
        assert torch.equal(layer.norm2.weight, weights[f'{theirs}.output.LayerNorm.weight'])
        assert torch.equal(layer.norm1.bias, weights[f'{theirs}.attention.output.LayerNorm.bias'])
        for name, part in zip(('query', 'key', 'value'), layer.self_attn.in_proj_weight.chunk(3)):
            assert torch.equal(part, weights[f'{theirs}.attention.self.{name}.weight'])
        assert {name for name in ours if not name.startswith('layers.')} == {
            'word_embedding.weight', 'positions', 'types', 'norm.weight', 'norm.bias'}

    @pytest.mark.parametrize('prefix', ['', 'bert.'])
    def test_names_of_tensorflow(self, prefix):
        assert_same(to_ours(as_tensorflow(published(prefix))), to_ours(published(prefix)))

    def test_both_names_at_once(self):
        weights = {**published(), **as_tensorflow(published())}
        with pytest.raises(KeyMapError, match='made from several keys: layers.0.norm1.bias, .*norm.weight'):
            to_ours(weights)

    def test_a_buffer_of_older_versions(self):
        weights = published('bert.')
        ids = {'bert.embeddings.position_ids': torch.arange(POSITIONS)[None]}
        assert_same(to_ours({**weights, **ids}), to_ours(weights))
        assert_same(BERT.layouts[1].key_map.to_theirs(to_ours(weights), 'test'), weights)
        with pytest.raises(KeyMapError, match='bert.embeddings.position_ids is .* but the other weights say'):
            to_ours({**weights, 'bert.embeddings.position_ids': torch.ones(1, POSITIONS)})

    def test_leftover_and_missing_keys(self):
        weights = published()
        del weights['encoder.layer.1.attention.self.key.bias']
        with pytest.raises(KeyMapError, match='no rule knows: encoder.adapter; missing beside others: '
                           'encoder.layer.1.attention.self.key.bias'):
            to_ours({**weights, 'encoder.adapter': torch.zeros(1)})

    @pytest.mark.parametrize('prefix', ['', 'bert.'])
    def test_what_transformers_holds(self, prefix):
        transformers = pytest.importorskip('transformers')
        config = transformers.BertConfig(
            vocab_size=VOCABULARY, hidden_size=CHANNELS, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
            intermediate_size=ARCHITECTURE['feedforward_channels'], max_position_embeddings=POSITIONS)
        model = transformers.BertForPreTraining(config) if prefix else transformers.BertModel(config)
        state = model.state_dict()
        assert {name: state[name].shape for name in published(prefix, heads=bool(prefix))} == {
            name: value.shape for name, value in published(prefix, heads=bool(prefix)).items()}
        ours = to_ours(state)
        assert ARCHITECTURES.measure(ours) == {name: value for name, value in ARCHITECTURE.items() if name != 'heads'}
        assert all(not name.startswith('excluded.') for name in to_ours(published()))
        back = BERT.layouts[1].key_map.to_theirs(ours, 'test')
        expected = state if prefix else {f'bert.{name}': value for name, value in state.items()}
        assert_same(back, dict(expected))


class TestArchitectures:

    def test_base(self):
        assert ARCHITECTURES.complete('base') == dict(
            layers=12, channels=768, heads=12, feedforward_channels=3072, vocabulary=30522, text_positions=512)
        assert ARCHITECTURES.complete(dict(channels=128, heads=2))['feedforward_channels'] == 512

    def test_errors(self):
        with pytest.raises(ValueError, match="architecture 'huge' is no BERT. Known: base, or a dict"):
            ARCHITECTURES.complete('huge')
        with pytest.raises(ValueError, match='entries that BERT has not: patch_size. It takes name, layers'):
            ARCHITECTURES.complete(dict(patch_size=16))
        with pytest.raises(ValueError, match='channels of the architecture must be a multiple of heads, but got 768 '):
            ARCHITECTURES.complete(dict(heads=5))

    def test_advice(self):
        ours = to_ours(published())
        assert ARCHITECTURES.advise(ours, ours, ARCHITECTURE) == ''
        advice = ARCHITECTURES.advise(ours, ours, {**ARCHITECTURE, 'layers': 3, 'vocabulary': 50})
        assert advice.startswith('Set in architecture what the file has: layers=2 instead of 3, vocabulary=40 instead')
        assert 'for BERT itself those of 30522 words in vocab.txt' in advice


class TestFiles:

    @pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
    @pytest.mark.parametrize('old', [False, True])
    def test_there_and_back(self, convert, tmp_path, suffix, old):
        """The published form: behind a prefix, with the pretraining's heads."""
        weights, ours = published('bert.', heads=True), tmp_path / f'ours.{suffix}'
        given = as_tensorflow(weights) if old else weights
        printed = convert(write(tmp_path / 'pytorch_model.bin', given, old), ours)
        assert f'ours.{suffix}: ' in printed and 'of BERT (layers 2, channels 24, feedforward_channels 36' in printed
        assert 'Not converted' not in printed
        for name in ('model.safetensors', 'back.bin'):
            convert(ours, tmp_path / name, '--to', 'hugging_face')
        back = safetensors.torch.load_file(tmp_path / 'model.safetensors')
        if old:
            # What the heads are is not asked: their names stay as they are.
            back = {name: value for name, value in back.items() if not name.startswith('cls.')}
            weights = {name: value for name, value in weights.items() if not name.startswith('cls.')}
        assert_same(back, weights)
        assert torch.load(tmp_path / 'back.bin', weights_only=True).keys() >= weights.keys()

    def test_a_folder_of_the_hub(self, tmp_path):
        safetensors.torch.save_file(published('bert.', heads=True), tmp_path / 'model.safetensors')
        found = read_published(BERT, str(tmp_path))
        assert_same(found.state, to_ours(published()))
        assert 'pooler.dense.weight' in found.excluded and 'cls.seq_relationship.bias' in found.excluded

    def test_a_model_trained_here(self, convert, tmp_path):
        state = {f'encoder.text.{name}': value for name, value in to_ours(published()).items()}
        torch.save(dict(state_dict={**state, 'encoder.image.x': torch.zeros(1)}), tmp_path / 'epoch_1.pth')
        found = read_published(BERT, str(tmp_path / 'epoch_1.pth'))
        assert_same(found.state, to_ours(published()))
        assert found.others == ('encoder.image.x', )
        convert(tmp_path / 'epoch_1.pth', tmp_path / 'bert.safetensors', '--to', 'hugging_face')
        assert_same(read_checkpoint(tmp_path / 'bert.safetensors')['state_dict'], published('bert.'))

    def test_files_of_something_else(self, tmp_path):
        path = write(tmp_path / 'other.pth', {'conv1.weight': torch.zeros(1)})
        with pytest.raises(UnreadableCheckpointError, match='no BERT weights by the keys of Hugging Face or mm'):
            read_published(BERT, path)

    def test_a_part(self, convert, tmp_path):
        weights = {name: value for name, value in published().items() if 'position' not in name}
        with pytest.raises(ValueError, match='part.pth does not hold a whole BERT.'):
            convert(write(tmp_path / 'part.pth', weights), tmp_path / 'out.pth')
