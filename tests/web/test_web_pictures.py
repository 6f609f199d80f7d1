"""What the page reads of uploaded files."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mmris.web import Limits
from mmris.web.pictures import read_picture

LIMITS = Limits(file_bytes=2**18, pixels=1000)


def encode(width: int, height: int, kind: str = 'PNG', **settings: object) -> bytes:
    buffer = io.BytesIO()
    Image.new('RGB', (width, height), (200, 0, 0)).save(buffer, kind, **settings)
    return buffer.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """A PNG of no pixels, whose header says that it has many."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack('>I', len(content)) + name + content + struct.pack('>I', zlib.crc32(name + content))

    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', b'')


@pytest.mark.parametrize('kind', ['PNG', 'JPEG', 'WEBP', 'GIF', 'BMP', 'TIFF'])
def test_formats(kind):
    pixels = read_picture(encode(16, 12, kind), 'a', LIMITS)
    assert pixels.shape == (12, 16, 3) and pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - [200, 0, 0]).max() < 12


def test_upright():
    exif = Image.Exif()
    exif[274] = 6
    assert read_picture(encode(20, 10, 'JPEG', exif=exif), 'a', LIMITS).shape == (20, 10, 3)


def test_as_many_pixels_as_allowed():
    assert read_picture(encode(40, 25), 'a', LIMITS).shape == (25, 40, 3)


@pytest.mark.parametrize('content, message', [
    (encode(41, 25), r'a.png has 41 x 25 pixels \(width x height\), 0.00103 million, but a picture may have '
     '0.25 MB and 0.001 million pixels: make it smaller'),
    (huge_png(50_000, 3000), 'a.png has 50000 x 3000 pixels'),
    (huge_png(100_000, 100_000), 'a.png has more pixels than any picture here'),
    (bytes(2**19), 'a.png has 0.5 MB, but a picture may have 0.25 MB and 0.001 million pixels'),
    (b'', 'a.png is empty'),
    (b'%!PS-Adobe-3.0 EPSF-3.0', 'a.png is no picture of a format that this page reads .*PNG.* convert it to JPEG'),
    (encode(30, 30)[:70], 'a.png is not a whole image file'),
], ids=['pixels', 'header', 'bomb', 'bytes', 'empty', 'format', 'cut'])
def test_refused(content, message):
    with pytest.raises(ValueError, match=message):
        read_picture(content, 'a.png', LIMITS)


def test_a_bomb_is_not_decoded(monkeypatch):
    """80 million pixels in a few bytes: below what Pillow itself refuses."""
    monkeypatch.setattr('mmris.web.pictures.decode_image', lambda *_, **__: pytest.fail('It was decoded.'))
    with pytest.raises(ValueError, match='80 million, but a picture may have 20 MB and 25 million pixels'):
        read_picture(huge_png(10_000, 8000), 'a.png', Limits())
