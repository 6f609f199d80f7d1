"""What holds for each published model in the table, whichever it is."""

import re

import pytest
import safetensors.torch
import torch

from mmris.checkpoints import PUBLISHED, UnreadableCheckpointError, read_published
from mmris.checkpoints.published import BEIT3, BERT, EXCLUDED, LAVT, SWIN, VILT
from mmris.checkpoints.runs import EXCLUDED_PARTS
from mmris.models.encoders import BEiT3Encoder
from tests.checkpoints.published import toy_joint, vilt_files
from tests.conftest import ROOT, assert_same

DOCUMENTED = (ROOT / 'docs/pretrained.md').read_text()


@pytest.mark.parametrize('name', PUBLISHED)
class TestTable:

    def test_names(self, name):
        model = PUBLISHED[name]
        assert model.name == name and list(model.written)[0] == 'mmris' and len(model.written) > 1
        for layout in model.layouts:
            assert layout.name != 'mmris' and not (layout.suffixes and layout.is_folder)

    def test_documented(self, name):
        """With the layouts that it reads and writes."""
        [row] = re.findall(rf'^\| `{name}` \| (.*) \| (.*) \|$', DOCUMENTED, re.MULTILINE)
        read, written = (cell.replace('`', '').split(', ') for cell in row)
        assert set(written) == set(PUBLISHED[name].written)
        titles = {layout.key_map.name.partition('\'')[0] for layout in PUBLISHED[name].layouts}
        assert set(read) == titles | {'ours'}
        assert f'mmris convert_weights {name} ' in DOCUMENTED

    def test_keys_of_ours_are_no_keys_of_theirs(self, name):
        """A file is recognised as one or the other."""
        model = PUBLISHED[name]
        for layout in model.layouts:
            for rule in layout.key_map.rules:
                ours = {key.replace('{', '').replace('}', ''): torch.zeros(1) for key in rule.ours}
                assert model.matches_ours(ours) is False or model.find_layout(ours) is None

    def test_what_is_excluded(self, name):
        """Is known to the map by its prefix alone, so that loaders can pass it over."""
        for layout in PUBLISHED[name].layouts:
            excluded = [key for rule in layout.key_map.rules for key in rule.ours if key.startswith(EXCLUDED)]
            assert excluded and all(layout.key_map.has(re.sub(r'\{\w+\}', 'x', key)) for key in excluded)


def test_a_folder_of_the_hub(tmp_path):
    safetensors.torch.save_file(vilt_files.hugging_face(vilt_files.published()), tmp_path / 'model.safetensors')
    found = read_published(VILT, str(tmp_path))
    assert found.source == str(tmp_path / 'model.safetensors') and 'word_embedding.weight' in found.state


def test_a_work_folder(tmp_path):
    encoder = BEiT3Encoder(architecture=toy_joint.ARCHITECTURE, taps=(toy_joint.LAYERS, ))
    state = {f'encoder.{name}': value for name, value in encoder.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'best_mIoU_epoch_3.pth')
    loaded = BEiT3Encoder(
        architecture=toy_joint.ARCHITECTURE, taps=(toy_joint.LAYERS, ), pretrained=str(tmp_path))
    loaded.load_pretrained()
    assert_same(dict(loaded.state_dict()), dict(encoder.state_dict()))


@pytest.mark.parametrize('model, part, refused', [
    (BEIT3, 'encoder.layers', True),
    (BEIT3, 'neck', False),
    (SWIN, 'encoder.image', True),
    (SWIN, 'encoder.image.timm.layers', True),
    (SWIN, 'encoder.text', False),
    (BERT, 'encoder.text.layers', True),
    # Of their files tensors are read alone, and of ours what says this.
    (VILT, 'encoder.blocks', True),
    (LAVT, 'encoder.image', True),
])
def test_a_checkpoint_that_was_saved_without_parts(tmp_path, model, part, refused):
    """Whichever model they are of, frozen parts that are not in a checkpoint are no source of weights."""
    state = {'encoder.image.timm.layers.x': torch.zeros(1)} if model is SWIN else {
        'encoder.word_embedding.weight': torch.zeros(1), 'encoder.layers.0.x': torch.zeros(1)
    }
    torch.save(dict(state_dict=state, meta={EXCLUDED_PARTS: {part: '0' * 64}}), tmp_path / 'epoch_1.pth')
    if refused:
        with pytest.raises(UnreadableCheckpointError, match=f'it was saved without {part}: give the file that'):
            read_published(model, str(tmp_path / 'epoch_1.pth'))
    else:
        read_published(model, str(tmp_path / 'epoch_1.pth'))
