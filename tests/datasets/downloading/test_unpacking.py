"""What is taken out of archives, and which archives are refused."""

import os
import re
import resource
from pathlib import Path

import pytest

from mmris.datasets.downloading.unpacking import unpack
from tests.datasets.downloading.file_server import make_zip

FILES = {'refs.p': b'refs' * 5000, 'instances.json': b'{}' * 5000}
INSIDE = {f'set/{name}': content for name, content in FILES.items()}


@pytest.fixture
def take(tmp_path):
    """Unpack an archive of this content; the lines that were said."""

    def unpack_content(content: bytes) -> str:
        (tmp_path / 'set.zip').write_bytes(content)
        lines = []
        unpack(tmp_path / 'set.zip', tmp_path / 'out', FILES.__contains__, say=lines.append)
        assert {path.name: path.read_bytes() for path in (tmp_path / 'out').iterdir()} == FILES
        return '\n'.join(lines)

    return unpack_content


def test_only_what_is_wanted(take):
    take(make_zip({**INSIDE, 'set/other.txt': b'', '__MACOSX/set/refs.p': b'', 'set/._refs.p': b''}))


@pytest.mark.parametrize('name', ['../refs.p', 'set/../../refs.p', '/tmp/refs.p', '..\\refs.p', 'C:/refs.p'])
def test_members_outside(take, tmp_path, name):
    with pytest.raises(ValueError, match=re.escape(
            f'{tmp_path}/set.zip is refused, and nothing of it was unpacked: its member {name!r} would be written '
            f'outside of the folder. Take the archive from another source.')):
        take(make_zip({**INSIDE, name: b'bad'}))
    assert os.listdir(tmp_path) == ['set.zip']


def test_links(take, tmp_path):
    with pytest.raises(ValueError, match="its member 'set/refs.p' is a link. Take"):
        take(make_zip({'set/instances.json': b'{}'}, links={'set/refs.p': '/etc/passwd'}))
    assert os.listdir(tmp_path) == ['set.zip']


def test_two_of_one_name(take):
    with pytest.raises(ValueError, match='set.zip has two files refs.p: set/refs.p and old/refs.p. Take the archive'):
        take(make_zip({**INSIDE, 'old/refs.p': b''}))


@pytest.mark.parametrize('content, message', [
    (make_zip(INSIDE)[:20000], 'set.zip is a truncated zip archive: it has 20,000 bytes, and its list of files, which '
     'stands at the end, is missing or damaged'),
    (b'<html>', 'set.zip should be a zip archive, but it is an HTML page'),
    (b'', 'set.zip should be a zip archive, but it is an empty file'),
])
def test_no_whole_archive(take, tmp_path, content, message):
    with pytest.raises(ValueError, match=message) as raised:
        take(content)
    assert str(raised.value).endswith(
        f'Remove {tmp_path}/set.zip and run the same command again: it is then downloaded.')


def test_a_damaged_member(take, tmp_path):
    """The first file is whole, and is kept when a whole archive comes."""
    content = make_zip(dict(reversed(INSIDE.items())))
    with pytest.raises(ValueError, match=r"set.zip is damaged: set/refs.p cannot be unpacked \(Bad CRC-32 for file"):
        take(content.replace(b'refsrefs', b'reffrefs', 1))
    assert os.listdir(tmp_path / 'out') == ['instances.json']
    said = take(content)
    assert f'{tmp_path}/out: 1 of 2 files of set.zip are there already' in said and 'unpacking 1 files' in said


def test_files_that_are_there(take, tmp_path):
    (tmp_path / 'out').mkdir()
    place = tmp_path / 'out/refs.p'
    place.write_bytes(FILES['refs.p'][:30])
    assert f'{place} is truncated (30 of 20,000 bytes), and is replaced' in take(make_zip(INSIDE))
    for other in (b'mine', FILES['refs.p'][:-1] + b'!', FILES['refs.p'] + b'!'):
        place.write_bytes(other)
        with pytest.raises(FileExistsError, match=re.escape(
                f'{place} ({len(other):,} bytes) is another file than the one in {tmp_path}/set.zip (20,000 bytes). '
                f'Move it away')):
            take(make_zip(INSIDE))
        assert place.read_bytes() == other


def test_what_a_killed_run_left(take, tmp_path):
    (tmp_path / 'out').mkdir()
    Path(tmp_path, 'out/.refs.p.part').write_bytes(b'rubbish')
    take(make_zip(INSIDE))


def test_a_full_disk(take, tmp_path):
    """A limit of the process stands for it."""
    content = make_zip(INSIDE)
    (tmp_path / 'set.zip').write_bytes(content)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (15000, limits[1]))
    try:
        with pytest.raises(OSError, match=re.escape(
                f'{tmp_path}/out/refs.p cannot be written: the disk is full (File too large). The files before it are '
                f'whole. See to that, and run the same command again: it unpacks the others.')):
            unpack(tmp_path / 'set.zip', tmp_path / 'out', FILES.__contains__, say=print)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(tmp_path / 'out') == []
    take(content)
