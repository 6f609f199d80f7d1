"""Names of what is made of an image."""

import os
from pathlib import Path
from threading import Barrier, Thread

import numpy as np
import pytest
from PIL import Image

from mmris.prediction.outputs import LONGEST_NAME, choose_outputs, image_address, names_of_image, save_output

ENDINGS = ('_1_mask.png', '_overlay.png')


@pytest.fixture
def write(tmp_path):
    """Write the outputs of an image to one folder, each filled with a value; their names."""

    def write_all(source: object, value: int = 0, endings: tuple = ENDINGS) -> list:
        paths = choose_outputs(tmp_path / 'out', names_of_image(source), image_address(source), endings)
        for path in paths:
            save_output(np.full((2, 3), value, dtype=np.uint8), path, image_address(source))
        return [path.name for path in paths]

    return write_all


def values(folder: Path) -> dict:
    return {path.name: np.asarray(Image.open(path)).max() for path in folder.iterdir()}


def test_the_same_image_again(write, tmp_path, monkeypatch):
    """Also by another way to write its path, and with more outputs or fewer."""
    (tmp_path / 'a').mkdir()
    names = ['cat_1_mask.png', 'cat_overlay.png']
    assert write(tmp_path / 'a' / 'cat.png', 1) == names
    monkeypatch.chdir(tmp_path)
    assert write('a/cat.png', 2) == write(f'{tmp_path}/a/../a/cat.png', 3) == names
    more = ('_1_mask.png', '_2_mask.png', '_overlay.png')
    assert write('a/cat.png', 4, more) == ['cat_1_mask.png', 'cat_2_mask.png', 'cat_overlay.png']
    assert write('a/cat.png', 5) == names
    assert values(tmp_path / 'out') == {'cat_1_mask.png': 5, 'cat_2_mask.png': 4, 'cat_overlay.png': 5}


def test_other_images_of_that_name(write, tmp_path):
    expected = {'cat.png': 'cat', 'cat.jpg': 'cat.jpg', 'b/cat.jpg': 'cat.jpg-2', 'b/cat.png': 'cat.png',
                'c/cat.jpg': 'cat.jpg-3', 'cat': 'cat-2'}
    for _ in range(2):
        for value, (source, name) in enumerate(expected.items(), 1):
            assert write(source, value) == [f'{name}{ending}' for ending in ENDINGS], 'in whatever order'
        expected = dict(sorted(expected.items()))
    assert len(values(tmp_path / 'out')) == 2 * len(expected)


@pytest.mark.parametrize('ending', ENDINGS)
def test_what_nobody_knows_of_stays(write, tmp_path, ending):
    """A picture without the text, no picture at all, a folder, and a link to nowhere."""
    out = tmp_path / 'out'
    out.mkdir()
    Image.new('L', (1, 1), 7).save(out / f'cat{ending}')
    (out / f'cat.jpg{ending}').write_text('mine')
    (out / f'cat.jpg-2{ending}').mkdir()
    (out / f'cat.jpg-3{ENDINGS[0]}').symlink_to('nowhere')
    assert write('cat.jpg') == [f'cat.jpg-4{one}' for one in ENDINGS]
    assert (out / f'cat.jpg{ending}').read_text() == 'mine'
    assert np.asarray(Image.open(out / f'cat{ending}')).max() == 7


@pytest.mark.parametrize('stem', [b'x' * 250, 'ü'.encode() * 125, '红'.encode() * 83, b'caf\xe9', b'\xff' * 250,
                                  b'.hidden'])
def test_names_that_a_file_system_could_not_take(write, tmp_path, stem):
    """With the endings too long, or no UTF-8. Images whose names differ beyond the cut differ."""
    one, other = (os.fsdecode(stem + suffix) for suffix in (b'.jpg', b'.JPG'))
    found = [write(name) for name in (one, other, one, other)]
    assert found[0] == found[2] and found[1] == found[3] and not set(found[0]) & set(found[1])
    assert len(list((tmp_path / 'out').iterdir())) == 4
    for name in (*found[0], *found[1]):
        assert len(name.encode()) <= LONGEST_NAME


def test_the_source_is_in_the_file(write, tmp_path):
    """As an address of plain letters, which other programs show."""
    name, _ = write(os.fsdecode('/photos/caf\xe9 1'.encode() + b'\xff.jpg'))
    assert Image.open(tmp_path / 'out' / name).info['Source'] == 'file:///photos/caf%C3%A9%201%FF.jpg'


def test_writers_at_once(tmp_path):
    """Of images of one name: each gets names of its own."""
    barrier, found = Barrier(8), {}

    def choose(number: int) -> None:
        barrier.wait()
        found[number] = choose_outputs(tmp_path, ['cat', 'cat.jpg'], image_address(f'{number}/cat.jpg'), ENDINGS)

    threads = [Thread(target=choose, args=(number, )) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({path for paths in found.values() for path in paths}) == 16
