"""Files of features: killed processes, other processes, full disks."""

import errno
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmris.models.feature_cache import disk_store, room
from mmris.models.feature_cache.disk_store import RECORD_BYTES, DiskStore
from mmris.models.feature_cache.entries import Entry, pack
from mmris.models.feature_cache.memory_store import MemoryStore
from mmris.models.feature_cache.room import Room
from tests.conftest import ROOT


def entry(seed: int, numbers: int = 50) -> Entry:
    return pack(torch.randn(1, numbers, generator=torch.Generator().manual_seed(seed)), torch.float32)[0]


def digest(number: int) -> bytes:
    return number.to_bytes(16, 'little')


def open_store(folder: Path, maximum: float = 1e9) -> DiskStore:
    return DiskStore(folder / 'store', Room(int(maximum), folder))


def fill(store, *numbers: int) -> None:
    for number in numbers:
        store.add(digest(number), entry(number))


def assert_holds(store, *numbers: int) -> None:
    found = store.read([digest(number) for number in range(10)])
    assert set(found) == {digest(number) for number in numbers}
    for number in numbers:
        assert found[digest(number)].layout == entry(number).layout
        assert torch.equal(found[digest(number)].content, entry(number).content)


@pytest.fixture
def warnings(monkeypatch) -> list:
    said = []
    for module in (disk_store, room):
        monkeypatch.setattr(module, 'print_log', lambda message, **_: said.append(message))
    return said


def test_what_one_stores_others_find_at_once(tmp_path):
    one, other = open_store(tmp_path), open_store(tmp_path)
    fill(one, 1)
    assert_holds(other, 1)
    fill(other, 1, 2)
    assert_holds(one, 1, 2)
    assert_holds(open_store(tmp_path), 1, 2)
    # The entry that both had is stored once.
    assert len(one) == 2 and one.size == sum(len(entry(number)) for number in (1, 2))


def test_opening_makes_no_folder(tmp_path):
    assert_holds(open_store(tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('ending', ['.features', '.index'])
def test_cut_at_every_byte_of_the_last_entry(tmp_path, warnings, ending):
    """As a kill, or a machine that fails, leaves it: the first entry stays, the last is there whole or not at all."""
    fill(open_store(tmp_path), 1)
    own = next((tmp_path / 'store').glob(f'*{ending}'))
    begin = own.stat().st_size
    shutil.rmtree(tmp_path / 'store')
    fill(open_store(tmp_path), 1, 2)
    own = next((tmp_path / 'store').glob(f'*{ending}'))
    whole = own.read_bytes()
    for size in range(begin, len(whole)):
        own.write_bytes(whole[:size])
        assert_holds(open_store(tmp_path), 1)
        assert any('ends before its last byte' in one for one in warnings) == (ending == '.features')
    own.write_bytes(whole)
    assert_holds(open_store(tmp_path), 1, 2)


def test_after_a_cut_a_later_process_stores_it_anew(tmp_path, warnings):
    fill(open_store(tmp_path), 1, 2)
    shard = next((tmp_path / 'store').glob('*.features'))
    shard.write_bytes(shard.read_bytes()[:-10])
    store = open_store(tmp_path)
    assert_holds(store, 1)
    fill(store, 2)
    assert_holds(store, 1, 2)


@pytest.mark.parametrize('place', range(4))
def test_damage_is_seen(tmp_path, warnings, place):
    fill(open_store(tmp_path), 1, 2)
    shard = next((tmp_path / 'store').glob('*.features'))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2 + place * len(content) // 8] ^= 1
    shard.write_bytes(content)
    assert_holds(open_store(tmp_path), 1)
    assert 'has another checksum than when it was written. It is computed again.' in warnings[0]


def test_a_damaged_record_hides_its_entry_alone(tmp_path):
    fill(open_store(tmp_path), 1, 2, 3)
    index = next((tmp_path / 'store').glob('*.index'))
    content = bytearray(index.read_bytes())
    for byte in range(RECORD_BYTES, 2 * RECORD_BYTES):
        changed = bytearray(content)
        changed[byte] ^= 16
        index.write_bytes(changed)
        assert_holds(open_store(tmp_path), 1, 3)


def test_a_record_that_is_being_written_is_read_when_it_is_whole(tmp_path):
    fill(open_store(tmp_path), 1, 2)
    index = next((tmp_path / 'store').glob('*.index'))
    whole = index.read_bytes()
    index.write_bytes(whole[:RECORD_BYTES + 7])
    reader = open_store(tmp_path)
    assert_holds(reader, 1)
    index.write_bytes(whole)
    assert_holds(reader, 1, 2)


def test_a_shard_that_someone_removed(tmp_path, warnings):
    fill(open_store(tmp_path), 1)
    store = open_store(tmp_path)
    next((tmp_path / 'store').glob('*.features')).unlink()
    assert_holds(store)
    assert 'cannot be read' in warnings[0]


WRITER = '''
import sys
from pathlib import Path
from tests.models.feature_cache.test_disk_store import fill, open_store
store = open_store(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), 400):
    store.read([bytes(16)])
    fill(store, number % 200)
print(len(store))
'''


def test_two_processes_at_once(tmp_path):
    """Both add the same entries, begun at different ones, while they read each other's."""
    processes = [
        subprocess.Popen([sys.executable, '-c', WRITER, str(tmp_path), str(begin)], cwd=ROOT, stdout=subprocess.PIPE,
                         text=True) for begin in (0, 100)
    ]
    outputs = [process.communicate(timeout=300)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0, 0] and outputs == ['200', '200']
    store = open_store(tmp_path)
    found = store.read(digest(number) for number in range(200))
    assert len(found) == 200
    assert all(torch.equal(found[digest(number)].content, entry(number).content) for number in range(200))


def test_a_killed_writer_leaves_what_it_had_stored(tmp_path):
    process = subprocess.Popen([sys.executable, '-c', WRITER, str(tmp_path), '0'], cwd=ROOT, stdout=subprocess.DEVNULL)
    while len(open_store(tmp_path)) < 20:
        assert process.poll() is None
    process.kill()
    process.wait()
    store = open_store(tmp_path)
    stored = [number for number in range(200) if store.read([digest(number)])]
    assert len(stored) >= 20
    fill(store, *range(200))
    assert len(open_store(tmp_path).read(digest(number) for number in range(200))) == 200


class TestRoom:

    def test_a_folder_that_is_full(self, tmp_path, warnings):
        size = len(entry(0)) + RECORD_BYTES
        store = open_store(tmp_path, maximum=2.5 * size)
        fill(store, 1, 2, 3, 4)
        assert_holds(store, 1, 2)
        assert len(warnings) == 1 and 'max_gigabytes=' in warnings[0] and 'allows no more' in warnings[0]
        assert sum(path.stat().st_size for path in (tmp_path / 'store').iterdir()) == 2 * size

    def test_other_stores_count(self, tmp_path, warnings):
        other = DiskStore(tmp_path / 'other', Room(10**9, tmp_path))
        fill(other, 1)
        fill(open_store(tmp_path, maximum=1.5 * (len(entry(0)) + RECORD_BYTES)), 2)
        assert_holds(open_store(tmp_path))

    def test_memory(self, warnings):
        store = MemoryStore(Room(int(2.5 * len(entry(0)))))
        fill(store, 1, 2, 2, 3)
        assert_holds(store, 1, 2)
        assert len(store) == 2 and store.size == 2 * len(entry(0)) and len(warnings) == 1


class TestDisk:

    @pytest.mark.parametrize('written', [0, 10, 150])
    def test_full(self, tmp_path, monkeypatch, warnings, written):
        """Also if a part of an entry was written: it is taken back."""
        store = open_store(tmp_path)
        fill(store, 1)
        write = disk_store._write

        def run_out(file, content):
            write(file, bytes(content)[:written])
            raise OSError(errno.ENOSPC, 'No space left on device')

        shard = next((tmp_path / 'store').glob('*.features'))
        before = shard.read_bytes()
        monkeypatch.setattr(disk_store, '_write', run_out)
        fill(store, 2)
        monkeypatch.undo()
        fill(store, 3)
        assert shard.read_bytes() == before
        assert_holds(store, 1)
        assert_holds(open_store(tmp_path), 1)
        assert len(warnings) == 1 and 'No space left on device. Training continues' in warnings[0]
        assert 'set model.feature_cache.folder to another folder' in warnings[0]

    def test_full_at_the_index(self, tmp_path, monkeypatch, warnings):
        store = open_store(tmp_path)
        fill(store, 1)
        write = disk_store._write

        def run_out(file, content):
            if file.name.endswith('.index'):
                write(file, content[:5])
                raise OSError(errno.ENOSPC, 'No space left on device')
            write(file, content)

        monkeypatch.setattr(disk_store, '_write', run_out)
        fill(store, 2)
        assert_holds(store, 1)
        assert_holds(open_store(tmp_path), 1)

    def test_a_folder_that_cannot_be_made(self, tmp_path, warnings):
        (tmp_path / 'file').touch()
        store = DiskStore(tmp_path / 'file' / 'store', Room(10**9))
        fill(store, 1, 2)
        assert_holds(store)
        assert len(warnings) == 1 and 'cannot write to' in warnings[0]
