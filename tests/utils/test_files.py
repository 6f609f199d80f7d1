"""Files that are whole or absent, on disks that fail."""

import errno
import os

import pytest

from mmris.utils import files
from mmris.utils.files import write_atomically


@pytest.mark.parametrize('number, remedy', [
    (errno.ENOSPC, 'No space left on device. Free space on that disk, then run'),
    (errno.EIO, 'Input/output error. The disk or its network mount fails: repair it'),
    (errno.EROFS, 'Read-only file system. The disk is mounted read-only: name another folder'),
])
def test_what_a_failing_write_says_and_leaves(tmp_path, number, remedy):
    path = tmp_path / 'scores.json'
    path.write_text('before')
    message = f'{path} was not written: {remedy}.*An earlier file of this name is unchanged'
    with pytest.raises(OSError, match=message) as caught:
        with write_atomically(path) as temporary:
            temporary.write_text('half')
            raise OSError(number, os.strerror(number))
    assert caught.value.errno == number
    assert path.read_text() == 'before' and list(tmp_path.iterdir()) == [path]


def test_errors_about_other_files_stay_as_they_are(tmp_path):
    with pytest.raises(FileNotFoundError, match='other.json'), write_atomically(tmp_path / 'scores.json'):
        (tmp_path / 'other.json').read_text()


@pytest.mark.parametrize('number', [errno.EEXIST, errno.EPERM])
def test_a_mount_that_renames_over_no_file(tmp_path, monkeypatch, number):
    original, path = os.replace, tmp_path / 'scores.json'

    def replace(source, target):
        if os.path.exists(target):
            raise OSError(number, os.strerror(number), str(source), None, str(target))
        original(source, target)

    monkeypatch.setattr(files.os, 'replace', replace)
    for content in ('first', 'second', 'third'):
        with write_atomically(path) as temporary:
            temporary.write_text(content)
        assert path.read_text() == content and list(tmp_path.iterdir()) == [path]


def test_a_mount_that_renames_nothing(tmp_path, monkeypatch):
    path = tmp_path / 'scores.json'
    path.write_text('before')

    def refuse(source, target):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(source), None, str(target))

    monkeypatch.setattr(files.os, 'replace', refuse)
    monkeypatch.setattr(files.os, 'rename', refuse)
    with pytest.raises(PermissionError), write_atomically(path) as temporary:
        temporary.write_text('after')
    assert path.read_text() == 'before' and list(tmp_path.iterdir()) == [path]
