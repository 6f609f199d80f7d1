"""Turning photographs upright by a tag of metadata that may be broken in any other place."""

import io
import random
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from mmris.datasets.image_files import read_image_header
from mmris.images import decode_image
from mmris.images.orientation import ORIENTATION, picture_orientation, turn_back, turn_upright

PIXELS = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
FORMATS = {'JPEG': {}, 'PNG': {}, 'WEBP': dict(lossless=True), 'TIFF': {}}
XMP = '<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def photograph(kind: str, exif: object, **options: object) -> bytes:
    content = io.BytesIO()
    Image.fromarray(PIXELS).save(content, kind, exif=exif, **FORMATS[kind], **options)
    return content.getvalue()


def camera_exif(orientation: int = 6) -> Image.Exif:
    """As cameras write it: texts and resolution beside the orientation, then directories of their own."""
    exif = Image.Exif()
    exif.endian = '<'
    exif.update({
        0x010e: 'a description',
        0x010f: 'The maker',
        0x0110: 'The model',
        ORIENTATION: orientation,
        0x011a: 72.5,
        0x0128: 2,
        0x0131: 'software'
    })
    exif.get_ifd(0x8769).update({0x829a: 0.01, 0x9003: '2020:01:01 00:00:00', 0x927c: b'maker' * 5})
    exif.get_ifd(0x8825).update({1: 'N', 2: (1.0, 2.0, 3.5)})
    read = Image.Exif()
    read.load(exif.tobytes())
    return read


def break_entry(content: bytes, tag: int, kind: int = 2, count: int = 2**31, value: bytes = b'\xff' * 4) -> bytes:
    """Overwrite the entry of a tag: by default a text that is longer than the file and begins beyond its end."""
    position = content.index(struct.pack('<H', tag), content.index(b'II*\0'))
    return content[:position + 2] + struct.pack('<HI', kind, count) + value + content[position + 12:]


@pytest.fixture
def quiet(recwarn):
    """Broken metadata are not even warned of."""
    yield
    assert not [str(one.message) for one in recwarn.list]


@pytest.mark.parametrize('kind', FORMATS)
@pytest.mark.parametrize('orientation', range(10))
def test_each_orientation(kind, orientation, quiet):
    """As Pillow turns it; 0 and 9 are none. Data sets get the pixels as stored, also of a TIFF, which Pillow turns."""
    content = photograph(kind, camera_exif(orientation))
    stored = decode_image(content, 'photo', upright=False)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert('RGB')
    assert np.array_equal(decode_image(content, 'photo', upright=True), expected)
    assert stored.shape == PIXELS.shape
    assert kind == 'JPEG' or np.array_equal(stored, PIXELS)


@pytest.mark.parametrize('kind', FORMATS)
@pytest.mark.parametrize('orientation', [1, 3, 6])
def test_size_and_orientation_without_decoding(kind, orientation, tmp_path, quiet):
    """The size as stored, also of a TIFF, which Pillow turns."""
    content = photograph(kind, camera_exif(orientation))
    (tmp_path / 'photo').write_bytes(content)
    assert read_image_header(str(tmp_path / 'photo')) == (20, 30, orientation)
    stored, upright = (decode_image(content, 'photo', upright=upright) for upright in (False, True))
    assert np.array_equal(turn_back(upright, orientation), stored)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_turning_back(orientation):
    assert np.array_equal(turn_back(turn_upright(PIXELS, orientation), orientation), PIXELS)


@pytest.mark.parametrize('order', ['<', '>'])
@pytest.mark.parametrize('big', [False, True])
def test_tiff_of_both_orders_and_sizes(order, big):
    picture = Image.fromarray(PIXELS)
    content, exif = io.BytesIO(), Image.Exif()
    exif.endian, exif[ORIENTATION] = order, 8
    picture.save(content, 'TIFF', exif=exif, big_tiff=big)
    assert np.array_equal(decode_image(content.getvalue(), 'scan', upright=False), PIXELS)
    assert np.array_equal(decode_image(content.getvalue(), 'scan', upright=True), np.rot90(PIXELS))


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP'])
@pytest.mark.parametrize('tag', [0x010f, 0x011a, 0x8769, 0x8825])
def test_a_broken_field_changes_nothing(kind, tag, quiet):
    """Of maker, resolution, camera's and GPS directory: the photograph is still turned."""
    content = photograph(kind, break_entry(camera_exif().tobytes(), tag))
    assert decode_image(content, 'photo', upright=True).shape == (30, 20, 3)


@pytest.mark.parametrize('tag', [0x010f, 0x8769, 0x8825])
@pytest.mark.parametrize('upright', [False, True])
def test_a_broken_field_of_a_tiff(tag, upright, quiet):
    content = break_entry(photograph('TIFF', camera_exif()), tag)
    assert decode_image(content, 'scan', upright).shape == ((30, 20, 3) if upright else (20, 30, 3))


@pytest.mark.parametrize('entry', [
    dict(kind=3, count=1, value=b'\x09\0\0\0'),
    dict(kind=3, count=2, value=b'\x06\0\x06\0'),
    dict(kind=5, count=1),
    dict(kind=99, count=1, value=b'\x06\0\0\0'),
])
def test_a_broken_orientation_is_none(entry, quiet):
    content = photograph('JPEG', break_entry(camera_exif().tobytes(), ORIENTATION, **entry))
    assert decode_image(content, 'photo', upright=True).shape == (20, 30, 3)


def mutate(block: bytes, generator: random.Random) -> bytes:
    changed = bytearray(block)
    for _ in range(generator.choice((1, 1, 2, 4, 16))):
        position, other = (generator.randrange(6, len(block)) for _ in range(2))
        if generator.random() < 0.5:
            changed[position] = generator.choice((0, 1, 2, 3, 5, 7, 12, 255, generator.randrange(256)))
        else:
            changed[position:position + 4] = changed[other:other + 4]
    return bytes(changed[:generator.randrange(6, len(block))] if generator.random() < 0.1 else changed)


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP'])
def test_broken_metadata_are_no_error(kind, quiet):
    block, generator = camera_exif().tobytes(), random.Random(0)
    for _ in range(200):
        content = photograph(kind, mutate(block, generator))
        assert decode_image(content, 'photo', upright=False).shape == (20, 30, 3)
        assert sorted(decode_image(content, 'photo', upright=True).shape) == [3, 20, 30]


@pytest.mark.filterwarnings('ignore::UserWarning')
def test_broken_tiffs_are_pixels_or_a_clear_error():
    """Here the fields that are broken may be what the pixels are read by."""
    whole, generator, read = photograph('TIFF', camera_exif()), random.Random(0), 0
    for _ in range(200):
        try:
            pixels = decode_image(mutate(whole, generator), 'scan.tif', upright=True)
            read += pixels.ndim == 3
        except ValueError as error:
            assert str(error).startswith('scan.tif ') and type(error) is ValueError
    assert read > 100


def test_other_places_of_the_orientation():
    """XMP, and EXIF as ImageMagick writes it to a PNG."""
    content = io.BytesIO()
    Image.fromarray(PIXELS).save(content, 'JPEG', xmp=XMP.encode())
    assert decode_image(content.getvalue(), 'photo', upright=True).shape == (30, 20, 3)
    block = camera_exif().tobytes()
    info, content = PngImagePlugin.PngInfo(), io.BytesIO()
    info.add_text('Raw profile type exif', f'\nexif\n{len(block):8}\n{block.hex()}\n', zip=True)
    Image.fromarray(PIXELS).save(content, 'PNG', pnginfo=info)
    assert decode_image(content.getvalue(), 'photo', upright=True).shape == (30, 20, 3)


class TestPictures:
    """What a picture of Pillow's carries."""

    @staticmethod
    def opened(kind: str = 'JPEG', exif: object = None) -> Image.Image:
        picture = Image.open(io.BytesIO(photograph(kind, camera_exif() if exif is None else exif)))
        picture.load()
        return picture

    @pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP'])
    def test_of_its_file(self, kind):
        picture = self.opened(kind)
        assert [picture_orientation(one) for one in (picture, picture.convert('L'), picture.resize((9, 6)))] == [6] * 3

    def test_once(self):
        """Pillow has turned a TIFF already, and this one was turned by hand."""
        assert picture_orientation(self.opened('TIFF')) == 1
        assert picture_orientation(ImageOps.exif_transpose(self.opened())) == 1

    def test_changed_since(self):
        removed, changed, invented = self.opened(), self.opened(), Image.fromarray(PIXELS)
        del removed.getexif()[ORIENTATION]
        changed.getexif()[ORIENTATION] = 3
        invented.getexif()[ORIENTATION] = 8
        assert [picture_orientation(one) for one in (removed, changed, invented)] == [1, 3, 8]

    @pytest.mark.filterwarnings('ignore::UserWarning')
    @pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP'])
    def test_as_its_file_where_metadata_are_broken(self, kind):
        block, generator = camera_exif().tobytes(), random.Random(1)
        for _ in range(100):
            content = photograph(kind, mutate(block, generator))
            picture = Image.open(io.BytesIO(content))
            picture.load()
            turned = turn_upright(np.asarray(picture), picture_orientation(picture))
            assert np.array_equal(turned, decode_image(content, 'photo', upright=True))
