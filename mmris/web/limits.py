"""What the page takes and keeps."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What the page takes from a visitor, and how much it keeps of all of them.

    Attributes:
        file_bytes (int): Of an uploaded file. Default: 20 MiB.
        pixels (int): Of a picture, as its file's header says. Default: 25 million.
        sentences (int): Asked at once. Default: 10.
        letters (int): Of a sentence. Default: 500.
        visitors (int): How many visitors' pictures are kept: those of the visitors who did something last. Default: 16.
        memory (int): Bytes of pictures, encoded pictures and answers that are kept, of all visitors together. The one
            who did something last is kept in any case. Default: 2 GiB.
        upload_seconds (float): How long an uploaded file stays on the disk, where its page reads it. Default: 120.
        uploads (int): How many such files there may be. Default: 64.
    """

    file_bytes: int = 20 * 2**20
    pixels: int = 25_000_000
    sentences: int = 10
    letters: int = 500
    visitors: int = 16
    memory: int = 2 * 2**30
    upload_seconds: float = 120
    uploads: int = 64

    def describe_picture(self) -> str:
        """What a picture may be, in words. As most browsers and file managers, it calls 2**20 bytes a MB."""
        return f'{self.file_bytes / 2**20:g} MB and {self.pixels / 1e6:g} million pixels'


DEFAULT_LIMITS = Limits()
