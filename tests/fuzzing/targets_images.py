"""Images of people, of data sets and of visitors of the web page."""

import io
from pathlib import Path
from typing import Iterator

import numpy as np
from PIL import Image

from mmris.datasets.image_files import read_image_header, read_image_size
from mmris.images import read_image
from mmris.web.limits import Limits
from mmris.web.pictures import read_picture

from .target import Read, Target, WrongResultError, reading_file

_UPLOAD = 'upload.png'


def _images(_: Path) -> Iterator[bytes]:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (7, 9, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010f] = 'maker'
    settings = [('PNG', {}), ('JPEG', {}), ('WEBP', {}), ('TIFF', {}), ('GIF', {}), ('BMP', {}),
                ('PNG', dict(exif=exif)), ('JPEG', dict(exif=exif)), ('TIFF', dict(exif=exif)),
                ('WEBP', dict(exif=exif)), ('JPEG', dict(progressive=True)), ('JPEG2000', {}), ('ICO', {}), ('PPM', {}),
                ('TGA', {}), ('PCX', {}), ('SGI', {}), ('DDS', {}), ('IM', {}), ('EPS', {}), ('AVIF', dict(exif=exif))]
    for kind, options in settings:
        if kind in Image.registered_extensions().values() or Image.init():
            buffer = io.BytesIO()
            picture.save(buffer, kind, **options)
            yield buffer.getvalue()
    for mode in ('1', 'L', 'LA', 'P', 'RGBA', 'I;16', 'I', 'CMYK', 'F'):
        buffer = io.BytesIO()
        converted = Image.new(mode, (7, 9)) if mode in ('I;16', 'F') else picture.convert(mode)
        converted.save(buffer, 'TIFF' if mode in ('CMYK', 'F') else 'PNG')
        yield buffer.getvalue()


def _check(pixels: object) -> None:
    if not (isinstance(pixels, np.ndarray) and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8
            and pixels.size):
        raise WrongResultError('no pixels of RGB')


def _read_headers(path: Path) -> None:
    size, header = read_image_size(str(path)), read_image_header(str(path))
    if min(size) < 1 or header.orientation not in range(1, 9):
        raise WrongResultError('a size of nothing, or no orientation')


def _prepare_upload(_: Path) -> Read:
    limits = Limits(pixels=1_000_000)
    return lambda content: _check(read_picture(content, _UPLOAD, limits))


TARGETS = [
    Target(name='images', readers=['mmris.images.decoding', 'mmris.images.orientation', 'mmris.images.reading'],
           prepare=reading_file('image', lambda path: _check(read_image(path))), seeds=_images),
    Target(name='image_headers', readers=['mmris.datasets.image_files', 'mmris.images.orientation'],
           prepare=reading_file('image', _read_headers), seeds=_images),
    Target(name='web_uploads', readers=['mmris.web.pictures', 'mmris.images.decoding'], prepare=_prepare_upload,
           seeds=_images, names=(_UPLOAD, )),
]
