"""Checkpoints in the layouts that ViLT is published in, and ours."""

import argparse

import pytest
import safetensors.torch
import torch

from mmris.checkpoints import UnreadableCheckpointError, read_published
from mmris.checkpoints.published import VILT, KeyMapError
from mmris.checkpoints.published.vilt import ARCHITECTURES, KEY_MAP
from mmris.models.encoders import TrimodalEncoder
from tests.checkpoints.published.conversions import converter
from tests.checkpoints.published.toy_joint import ARCHITECTURE, LAYERS, POSITIONS
from tests.checkpoints.published.vilt_files import (
    HEADS,
    HUGGING_FACE_TASKS,
    hugging_face,
    published,
    write_lightning,
)
from tests.conftest import assert_same


def build(**options):
    return TrimodalEncoder(**{**dict(architecture=ARCHITECTURE, masks=False, taps=(LAYERS, )), **options})


def key_map_of(weights):
    return VILT.find_layout(weights).key_map


def without_place(ours):
    """Keys of ours that ViLT's layout does not have."""
    return [key for key in ours if not KEY_MAP.has(key)]


def of_the_encoder(ours):
    return {name: value for name, value in ours.items() if not name.startswith('excluded.')}


@pytest.fixture
def convert(monkeypatch, capsys):
    """Run the tool in this process; what it prints."""
    return converter(monkeypatch, capsys, 'vilt')


class TestMap:

    @pytest.mark.parametrize('task', HEADS)
    def test_there_and_back(self, task):
        """No key is left over; what the encoder has not comes back too, as NLVR2's type of a second image."""
        weights = published(task)
        ours = key_map_of(weights).to_ours(weights, 'test')
        build().load_state_dict(of_the_encoder(ours))
        assert ('excluded.second_image_type' in ours) == (task == 'nlvr2')
        assert without_place(ours) == []
        assert_same(KEY_MAP.to_theirs(ours, 'test'), weights)

    @pytest.mark.parametrize('prefix', ['vilt.', ''])
    @pytest.mark.parametrize('task', HUGGING_FACE_TASKS)
    def test_hugging_face(self, task, prefix):
        weights = published(task)
        theirs = hugging_face(weights, prefix)
        if not prefix:
            # A model without task.
            theirs = {name: value for name, value in theirs.items()
                      if name.startswith(('embeddings.', 'encoder.', 'layernorm.', 'pooler.'))}
        layout = key_map_of(theirs)
        ours = layout.to_ours(theirs, 'test')
        assert_same(of_the_encoder(ours), of_the_encoder(key_map_of(weights).to_ours(weights, 'test')))
        assert_same(layout.to_theirs(ours, 'test'), theirs)
        if task in ('mlm_itm', 'irtr') and prefix:
            # All that transformers has not is whether image and text match.
            back = KEY_MAP.to_theirs(ours, 'test')
            assert set(weights) - set(back) == {'itm_score.fc.weight', 'itm_score.fc.bias'}
            assert_same(back, {name: weights[name] for name in back})

    def test_old_buffers(self):
        """Positions that older versions saved are checked."""
        weights = hugging_face(published())
        ours = key_map_of(weights).to_ours(weights, 'test')
        ids = {'vilt.embeddings.text_embeddings.position_ids': torch.arange(POSITIONS)[None]}
        assert_same(key_map_of(weights).to_ours({**weights, **ids}, 'test'), ours)
        with pytest.raises(KeyMapError, match='test: text_embeddings.position_ids is .* but the other weights say'):
            KEY_MAP.to_ours({**published(), 'text_embeddings.position_ids': torch.zeros(1, POSITIONS)}, 'test')

    def test_weights_that_were_never_of_vilt(self):
        expected = {name for name in published() if name.startswith(('text_', 'token_', 'transformer.'))}
        assert KEY_MAP.to_theirs(build().state_dict(), 'test').keys() == expected

    def test_what_vilt_has_no_place_for(self):
        masked = {f'mask_{name}' for name in ('type', 'place.weight', 'place.bias')}
        state = dict(build(masks=True).state_dict())
        assert set(without_place(state)) == masked
        with pytest.raises(KeyMapError, match='no rule knows: mask_place.bias, mask_place.weight, mask_type'):
            KEY_MAP.to_theirs(state, 'test')
        weights = hugging_face(published('nlvr2'))
        foreign = without_place(key_map_of(weights).to_ours(weights, 'test'))
        assert len(foreign) == 6 and all(key.startswith('excluded.classifier.') for key in foreign)

    def test_unknown_keys(self):
        strange = {'transformer.pre_norm.weight': torch.zeros(1), 'transformer.blocks.0.attn.gate': torch.zeros(1)}
        message = 'no rule knows: dropped.weight, transformer.blocks.0.attn.gate, transformer.pre_norm.weight'
        with pytest.raises(KeyMapError, match=message):
            KEY_MAP.to_ours({**published(), **strange, 'dropped.weight': torch.zeros(1)}, 'test')

    @pytest.mark.parametrize('shape', [(17, 16), (2, 17, 16)])
    def test_positions_of_another_shape(self, shape):
        message = r'transformer.pos_embed: the shape \(1, positions, channels\) was expected, not \(.*17, 16\)'
        with pytest.raises(KeyMapError, match=message):
            KEY_MAP.to_ours({**published(), 'transformer.pos_embed': torch.zeros(shape)}, 'test')


class TestReading:

    def test_published(self, tmp_path):
        weights = published()
        found = read_published(VILT, str(write_lightning(tmp_path / 'vilt.ckpt', weights)))
        assert_same(found.state, of_the_encoder(KEY_MAP.to_ours(weights, 'test')))
        heads = {name for name in weights if name.startswith(('pooler.', 'mlm_score.', 'itm_score.'))}
        assert found.excluded.keys() == heads and found.others == ()
        assert found.source == str(tmp_path / 'vilt.ckpt')

    @pytest.mark.parametrize('name', ['model.safetensors', 'pytorch_model.bin', 'old.bin'])
    def test_hugging_face(self, tmp_path, name):
        weights, path = hugging_face(published()), tmp_path / name
        if path.suffix == '.bin':
            torch.save(weights, path, _use_new_zipfile_serialization=name != 'old.bin')
        else:
            safetensors.torch.save_file(weights, path)
        assert_same(read_published(VILT, str(path)).state, of_the_encoder(KEY_MAP.to_ours(published(), 'test')))

    @pytest.mark.parametrize('masks', [False, True])
    def test_a_model_trained_here(self, tmp_path, masks):
        state = build(masks=masks).state_dict()
        torch.save(dict(state_dict={**{f'encoder.{name}': value for name, value in state.items()},
                                    'neck.weight': torch.zeros(1)}), tmp_path / 'epoch_1.pth')
        found = read_published(VILT, str(tmp_path / 'epoch_1.pth'))
        assert_same(found.state, {name: value.detach() for name, value in state.items()})
        assert found.others == ('neck.weight', ) and ('mask_type' in found.state) == masks

    def test_measures(self):
        ours = KEY_MAP.to_ours(published(), 'test')
        assert ARCHITECTURES.measure(ours) == {name: value for name, value in ARCHITECTURE.items() if name != 'heads'}
        for name in ('text_positions', 'blocks.0.mlp.fc1.weight', 'patch_embedding.weight'):
            assert ARCHITECTURES.measure({key: value for key, value in ours.items() if key != name}) is None
        for value in (torch.zeros(0, 3), torch.zeros(4), torch.zeros(2, 3, 4)):
            assert ARCHITECTURES.measure({**ours, 'image_positions': value}) is None

    def test_files_of_something_else(self, tmp_path):
        path = tmp_path / 'other.pth'
        torch.save(dict(model={'conv1.weight': torch.zeros(1)}), path)
        with pytest.raises(UnreadableCheckpointError, match='by the keys of ViLT, Hugging Face or mmris, but conv1.w'):
            read_published(VILT, str(path))
        torch.save(dict(state_dict={**published(), 'epoch': [3]}), path)
        with pytest.raises(UnreadableCheckpointError, match='holds values that are not tensors: epoch'):
            read_published(VILT, str(path))
        with pytest.raises(FileNotFoundError, match='There is no checkpoint data/none.ckpt'):
            read_published(VILT, 'data/none.ckpt')

    def test_trust(self, tmp_path):
        """Of torch's old format what else it holds cannot be left out."""
        weights, path = published(), tmp_path / 'old.ckpt'
        content = dict(state_dict=weights, hyper_parameters=argparse.Namespace(lr=0.1))
        torch.save(content, path, _use_new_zipfile_serialization=False)
        with pytest.raises(UnreadableCheckpointError, match='argparse.Namespace.* trust_pretrained=True of the encoder '
                           'reads it all the same'):
            read_published(VILT, str(path))
        assert_same(read_published(VILT, str(path), trust=True).state, of_the_encoder(KEY_MAP.to_ours(weights, 'test')))


class TestCommand:

    @pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
    @pytest.mark.parametrize('task', ['mlm_itm', 'nlvr2'])
    def test_there_and_back(self, convert, tmp_path, suffix, task):
        weights, ours, back = published(task), tmp_path / f'ours.{suffix}', tmp_path / 'back.ckpt'
        printed = convert(write_lightning(tmp_path / 'vilt.ckpt', weights), ours)
        # Positions that follow from the others are left out, NLVR2's types are two.
        count = len(weights) - 1 + (task == 'nlvr2')
        assert f'ours.{suffix}: {count} tensors of ViLT (layers 2, channels 16' in printed
        assert 'Not converted' not in printed
        convert(ours, back, '--to', 'vilt')
        # As its own code reads it.
        assert_same(torch.load(back, weights_only=True)['state_dict'], weights)
        encoder = build(pretrained=str(ours))
        encoder.init_weights()
        assert torch.equal(encoder.word_embedding.weight, weights['text_embeddings.word_embeddings.weight'])

    def test_a_model_trained_here(self, convert, tmp_path):
        state = {f'encoder.{name}': value for name, value in build(masks=True).state_dict().items()}
        torch.save(dict(state_dict={**state, 'neck.fuse.weight': torch.zeros(1)}), tmp_path / 'epoch_1.pth')
        printed = convert(tmp_path / 'epoch_1.pth', tmp_path / 'vilt.pth', '--to', 'vilt')
        assert 'Not converted: mask_place, mask_type, neck.fuse\n' in printed
        found = torch.load(tmp_path / 'vilt.pth', weights_only=True)['state_dict']
        assert found.keys() == {name for name in published() if name.startswith(('text_', 'token_', 'transformer.'))}
        printed = convert(tmp_path / 'epoch_1.pth', tmp_path / 'ours.pth')
        assert 'Not converted: neck.fuse\n' in printed
        assert 'mask_type' in torch.load(tmp_path / 'ours.pth')['state_dict']

    def test_a_task_of_hugging_face(self, convert, tmp_path):
        """Whether of VQA or of NLVR2, its name does not tell."""
        safetensors.torch.save_file(hugging_face(published('vqa')), tmp_path / 'model.safetensors')
        printed = convert(tmp_path / 'model.safetensors', tmp_path / 'vilt.ckpt', '--to', 'vilt')
        assert 'Not converted: classifier\n' in printed

    def test_parts_of_larger_tensors(self, convert, tmp_path):
        """What they are parts of is not written."""
        weights = dict(published(), **{'transformer.cls_token': torch.zeros(10**6)[:16].view(1, 1, 16)})
        torch.save(weights, tmp_path / 'large.pth')
        for layout, name in (('mmris', 'ours.pth'), ('mmris', 'ours.safetensors'), ('vilt', 'vilt.ckpt')):
            convert(tmp_path / 'large.pth', tmp_path / name, '--to', layout)
            assert (tmp_path / name).stat().st_size < 2 * 10**5 < (tmp_path / 'large.pth').stat().st_size

    def test_a_part(self, convert, tmp_path):
        weights = published()
        del weights['transformer.cls_token'], weights['transformer.patch_embed.proj.weight']
        torch.save(weights, tmp_path / 'part.pth')
        with pytest.raises(ValueError, match='part.pth does not hold a whole ViLT.'):
            convert(tmp_path / 'part.pth', tmp_path / 'out.pth')
        assert not (tmp_path / 'out.pth').exists()

    @pytest.mark.parametrize('layout, name, formats', [('mmris', 'out.ckpt', '.pth or .safetensors'),
                                                       ('vilt', 'out.safetensors', '.ckpt or .pth')])
    def test_a_suffix_of_no_format(self, convert, tmp_path, layout, name, formats):
        (tmp_path / 'vilt.ckpt').touch()
        with pytest.raises(ValueError, match=f'{layout} is written to a .* ends with {formats}, but out is {name}'):
            convert(tmp_path / 'vilt.ckpt', name, '--to', layout)
