"""Text that comes from outside: sentences, names, and values that a message shows."""

from reprlib import Repr


def to_well_formed(text: str) -> str:
    """Make a string that every tokenizer, file and terminal can take.

    Half a character of UTF-16 (a lone surrogate, as JSON's ``"\\ud83d"`` or a byte of a command line that is not UTF-8
    gives it) becomes U+FFFD, the replacement character. Two halves that belong together become the character.

    Args:
        text (str): Any string.

    Returns:
        str: The same string if it has no surrogates.
    """
    if text.isascii():
        return text
    return text.encode('utf-16-le', 'surrogatepass').decode('utf-16-le', 'replace')


class _ShortRepr(Repr):

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxstring = self.maxother = self.maxlong = 60

    def repr_int(self, value: int, level: int) -> str:
        # Python refuses to write integers of more than 4,300 digits.
        bits = value.bit_length()
        return super().repr_int(value, level) if bits < 10000 else f'an integer of {bits:,} bits'


_REPR = _ShortRepr()


def shorten(value: object) -> str:
    """Show a value of any size in a message.

    Args:
        value (object): Anything, such as what a file has in place of a number.

    Returns:
        str: Its ``repr``, with the middle left out where it is long; at most some 80 characters, in the time that
        these take.
    """
    shown = to_well_formed(_REPR.repr(value))
    return shown if len(shown) <= 80 else f'{shown[:77]}...'
