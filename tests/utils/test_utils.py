"""Files that are whole or absent, processors."""

import os

import pytest

from mmris.utils import cpus, free_cpus, usable_cpus, write_atomically


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


class TestProcessors:

    def test_free_ones_are_some_of_the_usable_ones(self):
        assert 1 <= free_cpus() <= usable_cpus() <= os.cpu_count()

    @pytest.mark.parametrize('quota, expected', [('max 100000', 4), ('200000 100000', 2), ('50000 100000', 1)])
    def test_the_quota_of_a_container_counts(self, monkeypatch, tmp_path, quota, expected):
        (tmp_path / 'cpu.max').write_text(quota)
        monkeypatch.setattr(cpus, '_QUOTA', tmp_path / 'cpu.max')
        monkeypatch.setattr(cpus, '_affinity', lambda: {0, 1, 2, 3})
        assert usable_cpus() == expected
