"""A published model under a prefix, in a file whose other keys look like that model's too."""

from typing import Callable, Dict

import pytest
import torch
from torch import Tensor

from mmris.checkpoints import PUBLISHED, UnreadableCheckpointError, read_published
from mmris.checkpoints.published import KeyMapError
from tests.checkpoints.published import (
    beit3_files,
    bert_files,
    lavt_files,
    swin_stages_files,
    test_swin_weights,
    vilt_files,
)
from tests.checkpoints.published.clip_files import RESNET, open_clip_model
from tests.checkpoints.published.test_clip_layouts import hugging_face_model
from tests.conftest import assert_same
from tests.parity.toy_cris import plain_model

State = Dict[str, Tensor]
# By the model: its file, and keys of other modules that stand beside it.
FILES: Dict[str, tuple] = {
    'open_clip': ('clip', lambda: open_clip_model().state_dict(), ['transformer.layers.0.weight']),
    'open_clip_resnet': ('clip', lambda: open_clip_model(RESNET).state_dict(), ['visual.conv1.weight']),
    'open_clip_custom': ('clip', lambda: open_clip_model(custom=True).state_dict(),
                         ['visual.stem.weight', 'text.token_embedding.weight']),
    'hugging_face_clip': ('clip', lambda: hugging_face_model().state_dict(),
                          ['text_model.0.weight', 'transformer.layers.0.weight']),
    'beit3': ('beit3', lambda: beit3_files.published('pretraining'), ['beit3.adapter.weight']),
    'vilt': ('vilt', vilt_files.published, ['text_embeddings.weight']),
    'hugging_face_vilt': ('vilt', lambda: vilt_files.hugging_face(vilt_files.published()),
                          ['vilt.embeddings.text_embeddings.weight', 'text_embeddings.weight']),
    'swin': ('swin', test_swin_weights.published, ['backbone.patch_embed.weight', 'backbone.stages.0.weight']),
    'bert': ('bert', bert_files.published, ['embeddings.word_embeddings.weight']),
    'bert_with_heads': ('bert', lambda: bert_files.published('bert.', heads=True),
                        ['bert.embeddings.word_embeddings.weight']),
    'microsoft_swin': ('swin_stages', swin_stages_files.classifier,
                       ['patch_embed.proj.weight', 'layers.0.relative_position_index']),
    'mmpretrain_swin': ('swin_stages', lambda: swin_stages_files.as_mmpretrain(swin_stages_files.tower()),
                        ['backbone.patch_embed.weight', 'backbone.stages.0.weight']),
    'lavt': ('lavt', lavt_files.joined, ['backbone.layers.0.fusion.weight', 'text_encoder.weight']),
    'cris': ('cris', lambda: plain_model().state_dict(), ['backbone.visual.weight', 'neck.weight']),
}


def converted(name: str, make: Callable[[], State]) -> State:
    """The same weights by our keys, as within a model trained here."""
    model, state = PUBLISHED[name], make()
    ours = model.find_layout(state).key_map.to_ours(state, name)
    return {model.root + key: value for key, value in ours.items() if not key.startswith('excluded.')}


@pytest.mark.parametrize('file', FILES)
class TestFiles:

    def test_the_core_is_in_each(self, file):
        name, make, _ = FILES[file]
        assert PUBLISHED[name].is_in(make()) and PUBLISHED[name].is_in(converted(name, make))

    @pytest.mark.parametrize('ours', [False, True])
    @pytest.mark.parametrize('prefix', ['net.', 'model.net.'])
    def test_under_a_prefix(self, file, prefix, ours, tmp_path):
        name, make, foreign = FILES[file]
        model, state = PUBLISHED[name], converted(name, make) if ours else make()
        others = {key: torch.ones(2) for key in foreign}
        assert model.knows(others)
        torch.save(state, tmp_path / 'plain.pth')
        torch.save({**others, **{prefix + key: value for key, value in state.items()}}, tmp_path / 'mixed.pth')
        plain, mixed = (read_published(model, str(tmp_path / f'{one}.pth')) for one in ('plain', 'mixed'))
        assert_same(mixed.state, plain.state)
        assert_same(mixed.excluded, plain.excluded)
        assert set(mixed.others) == {*plain.others, *foreign}

    def test_twice(self, file, tmp_path):
        """Nothing is chosen in silence."""
        name, make, foreign = FILES[file]
        others = {key: torch.ones(2) for key in foreign}
        twice = {prefix + key: value for prefix in ('student.', 'teacher.') for key, value in make().items()}
        torch.save({**others, **twice}, tmp_path / 'twice.pth')
        with pytest.raises(UnreadableCheckpointError, match='holds the model 2 times, under student. and teacher.'):
            read_published(PUBLISHED[name], str(tmp_path / 'twice.pth'))


def test_foreign_keys_without_the_model(tmp_path):
    state = {'transformer.layers.0.weight': torch.ones(2), 'clip.visual.proj': torch.ones(2)}
    torch.save(state, tmp_path / 'other.pth')
    with pytest.raises(KeyMapError, match='other.pth: from open_clip\'s layout .* no rule knows: clip.visual.proj'):
        read_published(PUBLISHED['clip'], str(tmp_path / 'other.pth'))
