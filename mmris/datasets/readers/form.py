"""A form in which sets are held."""

from dataclasses import dataclass
from typing import Any, Callable, Sequence, Union

from .content import Content
from .source import Source


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form that is read.

    Args:
        name (str): What users write: ``'mdetr'``.
        title (str): Whose files these are, for messages: ``"MDETR's JSON (finetune_refcoco_val.json)"``.
        recognise (Callable): Gets the value of a file (see :class:`SourceFile`) and tells whether it is of this form.
            It must not fail, whatever the value is.
        read (Callable): Gets a :class:`Source` and returns its :class:`Content`. It raises ``ValueError`` with path
            and remedy if a file is not as it should be; what is wrong with a single entry is left to the checks that
            follow.
        own_masks (bool): Whether masks are in these files. Default: False, they are in a COCO annotation file.
        convert_only (bool): Whether it is read by ``convert_dataset`` alone, because it needs options. Default: False.
        options (Sequence[str]): Options of ``convert_dataset`` that it takes. Default: none.
    """

    name: str
    title: str
    recognise: Callable[[Any], bool]
    read: Callable[[Source], Content]
    own_masks: bool = False
    convert_only: bool = False
    options: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class UnfitForm:
    """A form that is recognised, and refused because it cannot give right masks.

    Args:
        title (str): Whose files these are.
        recognise (Callable): As of :class:`Form`.
        reason (str or Callable): Why it is refused, and what to take instead; whole sentences. A function gets the
            value of the file, to say what it holds.
    """

    title: str
    recognise: Callable[[Any], bool]
    reason: Union[str, Callable[[Any], str]]

    def explain(self, value: Any) -> str:
        """Say why a file is refused."""
        return self.reason if isinstance(self.reason, str) else self.reason(value)


def first_entry(value: Any) -> Any:
    """Return the first entry of a list, for recognition; None if ``value`` is no list or an empty one."""
    return value[0] if isinstance(value, (list, tuple)) and value else None


def any_has_keys(entries: Any, *keys: str) -> bool:
    """Tell whether one of the first hundred entries of a list is a dict with all these keys.

    So a form is told even if the first entry is broken, and in bounded time.
    """
    return isinstance(entries, (list, tuple)) and any(has_keys(one, *keys) for one in entries[:100])


def has_keys(value: Any, *keys: str) -> bool:
    """Tell whether a value is a dict with all these keys."""
    return isinstance(value, dict) and all(key in value for key in keys)
