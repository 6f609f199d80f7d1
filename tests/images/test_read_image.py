"""The same picture in each form that people have it in, and what is none."""

import io
import os
import pathlib
import re

import numpy as np
import pytest
import torch
from PIL import EpsImagePlugin, Image

from mmris.datasets.readers.mask_files import read_mask_image
from mmris.images import decoding, read_image
from mmris.images.decoding import check_no_program

PIXELS = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)


@pytest.fixture
def photo(tmp_path) -> pathlib.Path:
    """Upright 30 x 20 pixels."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS).save(tmp_path / 'photo.png', exif=exif)
    return tmp_path / 'photo.png'


class Folder(os.PathLike):
    """A path that is no pathlib.Path, such as py.path or a temporary file of a library has it."""

    def __init__(self, path: object) -> None:
        self.path = path

    def __fspath__(self) -> object:
        return self.path


class TestFiles:

    def test_each_form(self, photo):
        content = photo.read_bytes()
        at_its_end = io.BytesIO(content)
        at_its_end.seek(0, 2)
        with open(photo, 'rb') as file, Image.open(photo) as picture:
            forms = [str(photo), photo, Folder(str(photo)), Folder(os.fsencode(photo)), content, bytearray(content),
                     memoryview(content), io.BytesIO(content), at_its_end, file, picture]
            for form in forms:
                assert np.array_equal(read_image(form), np.rot90(PIXELS, -1)), form

    def test_a_stream_is_read_from_where_it_is(self, photo):
        """As of a download, which cannot go back."""

        class Stream:

            def __init__(self) -> None:
                self.content = [photo.read_bytes()]

            def read(self) -> bytes:
                return self.content.pop()

        assert read_image(Stream()).shape == (30, 20, 3)

    @pytest.mark.parametrize('kind, options', [('JPEG', {}), ('WEBP', dict(lossless=True)), ('TIFF', {})])
    def test_pictures_are_turned_as_their_files_are(self, tmp_path, kind, options):
        exif = Image.Exif()
        exif[0x0112] = 5
        Image.fromarray(PIXELS).save(tmp_path / 'photo', kind, exif=exif, **options)
        with Image.open(tmp_path / 'photo') as picture:
            assert np.array_equal(read_image(picture), read_image(tmp_path / 'photo'))
            assert np.array_equal(read_image(picture.copy()), read_image(tmp_path / 'photo')), 'turned once'
        assert read_image(tmp_path / 'photo').shape == (30, 20, 3)

    def test_names_that_are_no_text(self, photo):
        """Of bytes that are not UTF-8."""
        name = photo.with_name(os.fsdecode(b'caf\xe9.png'))
        name.write_bytes(photo.read_bytes())
        assert read_image(str(name)).shape == (30, 20, 3)

    def test_where_there_is_none(self, tmp_path):
        (tmp_path / 'text.jpg').write_text('not an image')
        cases = {
            '': (ValueError, 'The path of the image is empty: name a file.'),
            str(tmp_path): (IsADirectoryError, f'{tmp_path} is a folder: name an image file in it.'),
            'nowhere/cat.jpg': (FileNotFoundError, 'There is no image nowhere/cat.jpg.'),
            'a\0b': (FileNotFoundError, 'There is no image a\0b.'),
            'x' * 5000: (FileNotFoundError, 'There is no image \'xxx'),
            str(tmp_path / 'text.jpg'): (ValueError, f'{tmp_path}/text.jpg is of no image format that Pillow reads'),
        }
        for image, (kind, message) in cases.items():
            with pytest.raises(kind, match=re.escape(message)) as caught:
                read_image(image)
            assert len(str(caught.value)) < 300

    @pytest.mark.parametrize('address', ['https://example.org/cat.jpg', 'HTTP://example.org/cat.jpg', 's3://cats/1.jpg',
                                         'gs://cats/1.jpg', 'file:///cat.jpg', f'data:image/png;base64,{"A" * 9000}'])
    def test_addresses(self, address):
        for form in (address, pathlib.Path(address)):
            with pytest.raises(ValueError, match='is a URL, but images are read from files: download it first, then '
                               'give its path or its bytes.') as caught:
                read_image(form)
            assert len(str(caught.value)) < 250

    def test_file_objects(self, photo, tmp_path):
        (tmp_path / 'text.jpg').write_text('not an image')
        with open(photo, encoding='latin-1') as file, pytest.raises(
                ValueError, match="photo.png gives str instead of bytes: open it with mode 'rb'."):
            read_image(file)
        with pytest.raises(ValueError, match='photo.png is a closed file: open it again, or give its path.'):
            read_image(file)
        with open(tmp_path / 'text.jpg', 'rb') as file, pytest.raises(
                ValueError, match='text.jpg is of no image format that Pillow reads'):
            read_image(file)
        with pytest.raises(ValueError, match=r'^The image \(12 bytes\) is of no image format that Pillow reads'):
            read_image(b'not an image')
        with pytest.raises(ValueError, match=r'^The image \(0 bytes\) is empty'):
            read_image(b'')

    def test_a_picture_whose_file_is_broken(self, photo):
        """Pillow reads it when it is used."""
        picture = Image.open(io.BytesIO(photo.read_bytes()[:600]))
        with pytest.raises(ValueError, match=r'^The PIL image cannot be read \(.*truncated'):
            read_image(picture)


class TestArrays:

    def test_grey_and_alpha(self, tmp_path):
        """As the same picture of Pillow's, and its file: grey is repeated, alpha dropped."""
        alpha = np.concatenate([PIXELS, np.arange(600, dtype=np.uint8).reshape(20, 30, 1)], axis=2)
        for array in (PIXELS, PIXELS[..., 0], alpha):
            picture = Image.fromarray(array)
            picture.save(tmp_path / 'photo.png')
            for form in (picture, tmp_path / 'photo.png'):
                assert np.array_equal(read_image(array), read_image(form))
        assert np.array_equal(read_image(PIXELS[..., :1]), read_image(PIXELS[..., 0]))

    def test_memory_is_not_shared(self):
        """A camera's buffer may hold the next picture soon."""
        buffer = PIXELS.copy()
        read = read_image(buffer)
        buffer[:] = 0
        assert np.array_equal(read, PIXELS)
        for view in (PIXELS[:, ::-1], PIXELS.transpose(1, 0, 2)):
            assert read_image(view).flags.c_contiguous and np.array_equal(read_image(view), view)

    @pytest.mark.parametrize('array, message', [
        (PIXELS / 255, 'The image is an array of float64 of shape (20, 30, 3), but must be uint8 of shape (height, '
         'width, 3) RGB, (height, width, 4) RGBA, or (height, width) grey. If 1 is white, give (image * '
         '255).round().astype(np.uint8).'),
        (PIXELS.astype(np.float32), 'If 255 is white, give image.round().astype(np.uint8).'),
        (PIXELS - 128.0, 'Bring its values to 0 to 255, where 255 is white, then give image.round().astype(np.uint8).'),
        (np.full((4, 4), np.nan), 'Bring its values to 0 to 255'),
        (PIXELS.astype(np.int64), 'If 255 is white, give image.astype(np.uint8).'),
        (PIXELS.astype(np.uint16), 'If 65535 is white, give (image / 257).round().astype(np.uint8).'),
        (PIXELS[..., 0] > 9, 'Give image.astype(np.uint8) * 255.'),
        (PIXELS.transpose(2, 0, 1), 'of uint8 of shape (3, 20, 30), but must be uint8 of shape (height, width, 3) RGB, '
         '(height, width, 4) RGBA, or (height, width) grey. Its channels come first: give image.transpose(1, 2, 0).'),
        (PIXELS.transpose(2, 0, 1) / 255, 'Its channels come first: give image.transpose(1, 2, 0). If 1 is white'),
        (PIXELS[None], 'of shape (1, 20, 30, 3), but must be'),
        (PIXELS[None], 'Give one image at a time.'),
        (PIXELS[..., :2], 'of shape (20, 30, 2), but must be'),
        (np.zeros(5, np.uint8), 'of shape (5,), but must be'),
        (np.array(['cat.jpg']), 'of shape (1,), but must be'),
    ])
    def test_other_arrays(self, array, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            read_image(array)

    @pytest.mark.parametrize('tensor, message', [
        (torch.zeros(3, 20, 30), 'The image is a torch tensor of torch.float32 of shape (3, 20, 30), but must be a '
         'NumPy array: give image.permute(1, 2, 0).mul(255).round().byte().cpu().numpy() if 1 is white.'),
        (torch.zeros(20, 30, 3, dtype=torch.uint8), 'give image.byte().cpu().numpy().'),
        (torch.zeros(1, 3, 20, 30), 'give one image at a time.'),
    ])
    def test_tensors(self, tensor, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            read_image(tensor)

    def test_the_advice_for_a_tensor_works(self):
        tensor = torch.from_numpy(PIXELS).permute(2, 0, 1) / 255
        assert np.array_equal(read_image(tensor.permute(1, 2, 0).mul(255).round().byte().cpu().numpy()), PIXELS)

    @pytest.mark.parametrize('other, message', [
        (None, 'The image is None. If a reader such as cv2.imread returned it, the file is missing or broken'),
        ([[0]], 'The image is of type list, but must be a file (its path, its bytes, or a binary file object), a PIL '
         'image, or an array, uint8 of shape (height, width, 3)'),
        (5, 'The image is of type int, but must be'),
    ])
    def test_other_things(self, other, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            read_image(other)


class TestPrograms:
    """Pillow has Ghostscript draw EPS files, which are programs, and opens what is inside IPTC files."""

    @pytest.fixture
    def marker(self, tmp_path, monkeypatch):
        """A file that a Ghostscript leaves."""
        (tmp_path / 'bin').mkdir()
        program = tmp_path / 'bin' / 'gs'
        program.write_text(f'#!/bin/sh\ntouch {tmp_path}/it_ran\necho 10.0\n')
        program.chmod(0o755)
        monkeypatch.setenv('PATH', f'{tmp_path}/bin:{os.environ["PATH"]}')
        monkeypatch.setattr(EpsImagePlugin, 'gs_binary', None)
        return tmp_path / 'it_ran'

    @pytest.fixture
    def postscript(self, tmp_path):
        Image.fromarray(PIXELS).save(tmp_path / 'photo.eps')
        # Whatever its name says.
        return (tmp_path / 'photo.eps').rename(tmp_path / 'photo.jpg')

    def test_it_is_not_run(self, marker, postscript):
        with pytest.raises(ValueError, match='photo.jpg is a file of the format EPS, which other programs draw, and '
                           'which is not read: convert it to JPEG or PNG.'):
            read_image(postscript)
        with pytest.raises(ValueError, match='photo.jpg, which is not a whole image .*of the format EPS'):
            read_mask_image(str(postscript), 'row 1')
        assert not marker.exists()
        with pytest.raises(OSError):
            Image.open(postscript).load()
        assert marker.exists(), 'the attack of this test must be a real one'

    def test_a_file_inside_another(self, tmp_path):
        picture = Image.new('L', (5, 4))
        picture.format = 'IPTC'
        with pytest.raises(ValueError, match='a.jpg is a file of the format IPTC, which other programs draw'):
            check_no_program(picture, 'a.jpg')


@pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'CMYK', 'YCbCr'])
@pytest.mark.parametrize('strip', [1, 30, 90, 599])
def test_large_images_in_strips(monkeypatch, mode, strip):
    picture = Image.fromarray(PIXELS).convert(mode)
    whole = read_image(picture)
    monkeypatch.setattr(decoding, '_STRIP', strip)
    assert np.array_equal(read_image(picture), whole)
