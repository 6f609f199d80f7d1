"""Which checkpoint of a work folder is taken to begin from."""

import os
from pathlib import Path

import pytest
import torch

from mmris.checkpoints import best_checkpoint, find_checkpoints, read_published
from mmris.checkpoints.published import CLIP
from tests.checkpoints.published.clip_files import VIT, assert_same, open_clip_model


def leave(folder: Path, *names: str) -> None:
    """Files in their order in time."""
    folder.mkdir(exist_ok=True)
    for position, name in enumerate(names):
        (folder / name).touch()
        os.utime(folder / name, (1000 + position, 1000 + position))


class TestBest:

    def test_the_only_one(self, tmp_path):
        leave(tmp_path, 'best_mIoU_epoch_4.pth', 'epoch_5.pth', '.best_mIoU_epoch_5-abc.pth', 'best_guess.pth')
        assert best_checkpoint(tmp_path) == tmp_path / 'best_mIoU_epoch_4.pth'

    @pytest.mark.parametrize('names', [('best_mIoU_epoch_9.pth', 'best_mIoU_epoch_10.pth'),
                                       ('best_mIoU_epoch_10.pth', 'best_mIoU_epoch_2.pth')])
    def test_the_one_written_last(self, tmp_path, names):
        """Left by a run that was killed, or by a longer one before it."""
        leave(tmp_path, *names)
        assert best_checkpoint(str(tmp_path)).name == names[-1]

    def test_none(self, tmp_path):
        leave(tmp_path, 'epoch_1.pth')
        with pytest.raises(FileNotFoundError, match=f'There is no best_.*.pth in {tmp_path}, .* Train it to the end'):
            best_checkpoint(tmp_path)

    def test_of_several_metrics(self, tmp_path):
        leave(tmp_path, 'best_mIoU_iter_4.pth', 'best_oIoU_iter_2.pth')
        message = 'the best checkpoints by mIoU and oIoU: name one of best_mIoU_iter_4.pth, best_oIoU_iter_2.pth'
        with pytest.raises(ValueError, match=message):
            best_checkpoint(tmp_path)


class TestCLIPOfATraining:

    def test_the_best_of_a_work_folder(self, tmp_path):
        leave(tmp_path / 'work', 'epoch_1.pth')
        state = open_clip_model(VIT, custom=True).state_dict()
        state = {f'encoder.{key.replace("visual.", "image.clip.").replace("text.", "text.clip.")}': value
                 for key, value in state.items() if key != 'logit_scale'}
        torch.save(dict(state_dict={**state, 'head.weight': torch.zeros(1)}), tmp_path / 'work/best_mIoU_epoch_1.pth')
        read = read_published(CLIP, str(tmp_path / 'work'))
        assert read.source == str(tmp_path / 'work' / 'best_mIoU_epoch_1.pth') and read.others == ('head.weight', )
        text = {key.removeprefix('encoder.text.clip.'): value
                for key, value in state.items() if key.startswith('encoder.text.')}
        assert_same(read.part('text.clip.'), text)

    def test_a_folder_that_has_none(self, tmp_path):
        leave(tmp_path / 'work', 'epoch_1.pth')
        with pytest.raises(ValueError, match=r'is a folder without weights: none of .* is there, nor a '
                                             r'best_\*.pth that a training here leaves'):
            read_published(CLIP, str(tmp_path / 'work'))

    @pytest.mark.parametrize('path', ['work_dirs/first', 'towers.pth'])
    def test_a_path_that_leads_nowhere(self, tmp_path, monkeypatch, path):
        monkeypatch.chdir(tmp_path)
        message = (f'neither a file nor a folder nor an open_clip tag: tags of ViT-B-16 are .* As a path it leads to '
                   f'{tmp_path / path}, where there is nothing: if that is to be left by another training, run it')
        with pytest.raises(ValueError, match=message):
            read_published(CLIP, path, architecture='ViT-B-16')

    def test_a_tag_is_no_path(self):
        with pytest.raises(ValueError, match='an open_clip tag: tags of .*[a-z0-9_]\\.$'):
            read_published(CLIP, 'opanai', architecture='ViT-B-16')


@pytest.mark.parametrize('content', [b'\xff\xfe', b'a\0b', b'x' * 100000, b'', b'../../epoch_1.pth'], ids=str)
def test_a_note_of_the_last_checkpoint_that_is_none(tmp_path, content):
    leave(tmp_path, 'epoch_1.pth', 'epoch_2.pth')
    (tmp_path / 'last_checkpoint').write_bytes(content)
    names = [path.name for path in find_checkpoints(tmp_path)]
    assert names == ['epoch_1.pth'] if b'epoch' in content else names == ['epoch_2.pth', 'epoch_1.pth']
