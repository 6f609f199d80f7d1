"""The REFER files: ``refs(...).p`` beside ``instances.json``. gRefCOCO, Ref-ZOM and RefClef are held alike."""

from typing import Any, List

from .content import Content, RawRef
from .form import Form, first_entry, has_keys
from .source import Source


def _recognise(value: Any) -> bool:
    # JSON Lines of one line are a dict.
    return has_keys(value, 'ref_id', 'sentences') or has_keys(first_entry(value), 'ref_id', 'sentences')


def _read(source: Source) -> Content:
    return Content([one for file in source.files for one in read_refs(file.path, file.value)])


def read_refs(path: str, refs: Any) -> List[RawRef]:
    """Read a list of refs as it is.

    Args:
        path (str): The file that it is from.
        refs (Any): What the file holds.

    Returns:
        list[RawRef]: The refs.

    Raises:
        ValueError: If it is no list.
    """
    refs = [refs] if has_keys(refs, 'ref_id') else refs
    if not isinstance(refs, (list, tuple)):
        raise ValueError(f'{path} holds a {type(refs).__name__}, but a refs file is a list of refs. '
                         f'docs/data_forms.md lists the other forms that are read.')
    return [RawRef(path, f'ref at position {position}', ref) for position, ref in enumerate(refs)]


REFER = Form(name='refer', title="REFER's refs file (refs(unc).p)", recognise=_recognise, read=_read)
