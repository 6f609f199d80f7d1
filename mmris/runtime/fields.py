"""Values of a card, checked one by one."""

from typing import Any, List, Mapping, Optional, Sequence

from mmris.utils.finite import is_finite_number
from mmris.utils.text import shorten

AGAIN = 'Export the model again, or copy its folder again.'
# Where a name that holds one of them leads depends on the system.
_NOT_IN_NAMES = '/\\:\0'


class Fields:
    """The fields of one object of a card.

    Args:
        content (dict): The object, as JSON has it.
        where (str): What messages call its place.

    Attributes:
        content (dict), where (str): As above.
    """

    def __init__(self, content: Mapping[str, Any], where: str) -> None:
        self.content = content
        self.where = where

    def wrong(self, name: str, expected: str) -> ValueError:
        """Make the error of a field that is not as it must be."""
        found = f'is {shorten(self.content[name])}' if name in self.content else 'is missing'
        return ValueError(f'{self.where}: {name} {found}, but must be {expected}. {AGAIN}')

    def check_names(self, known: Sequence[str]) -> None:
        """Check that there is no field beside those that are known.

        Raises:
            ValueError: If there is one.
        """
        unknown = next((name for name in self.content if name not in known), None)
        if unknown is not None:
            raise ValueError(f'{self.where} has {shorten(unknown)}, but this mmris knows {", ".join(known)}. Use a '
                             f'newer mmris, or export the model again.')

    def text(self, name: str, *, optional: bool = False) -> Optional[str]:
        """A string that is not empty; or None, if it is optional."""
        value = self.content.get(name)
        if value is None and optional:
            return None
        if not isinstance(value, str) or not value:
            raise self.wrong(name, 'text')
        return value

    def texts(self, name: str) -> List[str]:
        """A list of strings that are not empty."""
        values = self._list(name)
        if not all(isinstance(value, str) and value for value in values):
            raise self.wrong(name, 'a list of texts')
        return values

    def whole_number(self, name: str, *, least: int = 0) -> int:
        """A whole number that is not below a limit."""
        value = self.content.get(name)
        if type(value) is not int or value < least:
            raise self.wrong(name, f'a whole number of at least {least}')
        return value

    def number(self, name: str) -> Optional[float]:
        """A finite number, or None."""
        value = self.content.get(name)
        if value is not None and not is_finite_number(value):
            raise self.wrong(name, 'a number or null')
        return value

    def truth(self, name: str) -> bool:
        """True or false."""
        if not isinstance(self.content.get(name), bool):
            raise self.wrong(name, 'true or false')
        return self.content[name]

    def size(self, name: str) -> None:
        """Check a height and a width in pixels, or one number for both."""
        value = self.content.get(name)
        sides = value if isinstance(value, list) and len(value) == 2 else [value]
        if not all(type(side) is int and side > 0 for side in sides):
            raise self.wrong(name, 'a height and a width in pixels')

    def colour(self, name: str) -> None:
        """Check red, green and blue, in 0 to 255."""
        value = self.content.get(name)
        if not (isinstance(value, list) and len(value) == 3
                and all(is_finite_number(part) and 0 <= part <= 255 for part in value)):
            raise self.wrong(name, 'red, green and blue in 0 to 255')

    def inner(self, name: str) -> 'Fields':
        """An object."""
        value = self.content.get(name)
        if not isinstance(value, dict):
            raise self.wrong(name, 'an object of JSON')
        return Fields(value, f'{self.where}: {name}')

    def inners(self, name: str) -> List['Fields']:
        """A list of objects, at least one."""
        values = self._list(name)
        if not values or not all(isinstance(value, dict) for value in values):
            raise self.wrong(name, 'a list of objects of JSON')
        return [Fields(value, f'{self.where}: {name} {place}') for place, value in enumerate(values, 1)]

    def file_name(self, name: str) -> str:
        """The name of a file in the folder."""
        return self.check_file_name(self.text(name), name)

    def check_file_name(self, value: str, name: str) -> str:
        """Check that a name is that of a file in the folder, without any path.

        Args:
            value (str): The name.
            name (str): Of the field, for the message.

        Returns:
            str: The name.

        Raises:
            ValueError: If it could lead out of the folder.
        """
        if not value or value in ('.', '..') or any(character in value for character in _NOT_IN_NAMES):
            raise ValueError(f'{self.where}: {name} is {shorten(value)}, but must be the bare name of a file in the '
                             f'folder. Do not use this folder unless you trust where it is from. {AGAIN}')
        return value

    def _list(self, name: str) -> list:
        value = self.content.get(name)
        if not isinstance(value, list):
            raise self.wrong(name, 'a list')
        return value
