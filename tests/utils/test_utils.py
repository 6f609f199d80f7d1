"""Files that are whole or absent, where they may be written, processors."""

import os

import pytest

from mmris.utils import configs, cpus, free_cpus, usable_cpus, write_atomically
from mmris.utils.configs import check_output


class TestWriteAtomically:

    def test_it_writes_and_leaves_nothing_else(self, tmp_path):
        path = tmp_path / 'new' / 'scores.json'
        with write_atomically(path) as temporary:
            assert temporary.suffix == '.json' and temporary.parent == path.parent
            temporary.write_text('1')
            assert not path.exists()
        assert path.read_text() == '1' and os.listdir(path.parent) == ['scores.json']

    def test_an_error_leaves_the_earlier_file(self, tmp_path):
        path = tmp_path / 'scores.json'
        path.write_text('earlier')
        with pytest.raises(RuntimeError), write_atomically(path) as temporary:
            temporary.write_text('half')
            raise RuntimeError
        assert path.read_text() == 'earlier' and os.listdir(tmp_path) == ['scores.json']

    def test_it_is_as_readable_as_any_file(self, tmp_path):
        (tmp_path / 'plain').write_text('')
        with write_atomically(tmp_path / 'written') as temporary:
            temporary.write_text('')
        assert (tmp_path / 'written').stat().st_mode == (tmp_path / 'plain').stat().st_mode


class TestOutputs:

    def test_what_can_be_written(self, tmp_path):
        (tmp_path / 'old.png').write_text('')
        for path in (tmp_path / 'old.png', tmp_path / 'a' / 'b' / 'new.PNG', 'new.png'):
            check_output(path, ('.png', '.jpg'))
        for path in (tmp_path, tmp_path / 'a' / 'b', 'new'):
            check_output(path, folder=True)
        check_output(tmp_path / 'scores')
        check_output(None, ('.png', ))
        assert os.listdir(tmp_path) == ['old.png']

    def test_what_cannot(self, tmp_path, monkeypatch):
        file = tmp_path / 'file'
        file.write_text('')
        with pytest.raises(IsADirectoryError, match=f'{tmp_path} is a folder, but a file is to be written: name one'):
            check_output(tmp_path)
        for path in ('noext', 'sheet.txt', '.png'):
            with pytest.raises(ValueError, match=f'{path} must end with one of .png, .jpg, which says what'):
                check_output(tmp_path / path, ('.png', '.jpg'))
        for path, folder in ((file, True), (file / 'a' / 'b', True), (file / 'a' / 'b.png', False)):
            with pytest.raises(NotADirectoryError, match=f'{path} cannot be written: {file} is a file, no folder'):
                check_output(path, folder=folder)
        monkeypatch.setattr(configs.os, 'access', lambda path, mode: path != tmp_path)
        with pytest.raises(PermissionError, match=f'a.png cannot be written: nothing may be written to {tmp_path}'):
            check_output(tmp_path / 'a' / 'a.png')


class TestProcessors:

    def test_free_ones_are_some_of_the_usable_ones(self):
        assert 1 <= free_cpus() <= usable_cpus() <= os.cpu_count()

    @pytest.mark.parametrize('quota, expected', [('max 100000', 4), ('200000 100000', 2), ('50000 100000', 1)])
    def test_the_quota_of_a_container_counts(self, monkeypatch, tmp_path, quota, expected):
        (tmp_path / 'cpu.max').write_text(quota)
        monkeypatch.setattr(cpus, '_QUOTA', tmp_path / 'cpu.max')
        monkeypatch.setattr(cpus, '_affinity', lambda: {0, 1, 2, 3})
        assert usable_cpus() == expected
