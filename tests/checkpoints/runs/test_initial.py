"""What a training began from, and what is said where that has been replaced."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmris.checkpoints.runs import check_initial_checkpoints, find_initial_checkpoints, note_initial_checkpoints
from mmris.commands.run_ablation import claim_folder
from tests.conftest import read_arguments


def config_of(pretrained, load_from=None) -> Config:
    return Config(dict(model=dict(encoder=dict(pretrained=pretrained)), load_from=load_from))


def test_what_is_no_path_is_left_out():
    assert find_initial_checkpoints(config_of('a/file.pth', 'https://host/file.pth')) == [Path('a/file.pth')]
    assert not find_initial_checkpoints(config_of('clip-vit-b-16'))
    assert not find_initial_checkpoints(config_of(None))


@pytest.mark.parametrize('as_folder', [False, True], ids=['file', 'work folder'])
def test_a_replaced_file_is_named(tmp_path, as_folder):
    towers, run = tmp_path / 'towers', tmp_path / 'run'
    towers.mkdir(), run.mkdir()
    file = towers / 'best_mIoU_epoch_1.pth'
    file.write_bytes(b'one')
    begun = find_initial_checkpoints(config_of(str(towers if as_folder else file)))
    note_initial_checkpoints(run, begun)
    file.write_bytes(b'another')
    check_initial_checkpoints(run, begun)
    note_initial_checkpoints(run, begun)
    torch.save({}, run / 'epoch_1.pth')
    check_initial_checkpoints(run, begun)
    file.write_bytes(b'a third')
    note_initial_checkpoints(run, begun)
    with pytest.raises(ValueError, match=f'{run} was begun from {begun[0]}, which has been replaced since. Remove'):
        check_initial_checkpoints(run, begun)


def test_runs_of_an_ablation(tmp_path):
    """Towers trained anew, and the command started again: the runs so far would be of other towers than the rest."""
    towers = tmp_path / 'towers.pth'
    towers.write_bytes(b'one')
    config = tmp_path / 'row.py'
    config.write_text(f'model = dict(encoder=dict(pretrained={str(towers)!r}))\n')
    run = dict(config=str(config), seed=0, folder=tmp_path / 'row_seed0')
    arguments = read_arguments('run_ablation', config, '--out', tmp_path)
    claim_folder(run, arguments)
    torch.save({}, run['folder'] / 'epoch_1.pth')
    claim_folder(run, arguments)
    towers.write_bytes(b'another')
    with pytest.raises(ValueError, match='towers.pth, which has been replaced since'):
        claim_folder(run, arguments)


@pytest.mark.parametrize('content, message', [
    (b'[' * 100000, 'is not JSON (it is nested too deeply)'), (b'\xff', 'is not JSON (it is not text in UTF-8'),
    (b'[1]', 'holds [1] instead of the files that the training began from')])
def test_a_damaged_note(tmp_path, content, message):
    torch.save({}, tmp_path / 'epoch_1.pth')
    (tmp_path / 'began_from.json').write_bytes(content)
    with pytest.raises(ValueError) as error:
        check_initial_checkpoints(tmp_path, [])
    assert f'{tmp_path}/began_from.json {message}' in str(error.value)
    assert str(error.value).endswith(f'Remove {tmp_path}, so that the training begins anew.')
