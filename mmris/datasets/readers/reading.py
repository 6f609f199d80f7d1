"""The content of a set in any form."""

import os
from typing import Any, List, Mapping, Optional, Sequence, Tuple, Union

from mmris.datasets.data_files import is_json
from mmris.datasets.splits import is_in_split, list_splits
from mmris.utils.text import to_well_formed

from .content import Content, RawRef
from .form import Form
from .forms import describe_value, recognise
from .opening import open_value
from .source import Source, SourceFile, find_files, select_files, split_of_file


def read_content(path: Union[str, Sequence[str]],
                 *,
                 splits: Optional[Sequence[str]] = None,
                 instances_path: Optional[str] = None,
                 image_folder: Optional[str] = None,
                 form: Optional[Form] = None,
                 options: Optional[Mapping[str, Any]] = None,
                 with_masks: bool = True) -> Tuple[Content, List[str]]:
    """Read the sentences of a set, and its masks where they are in the same files.

    Args:
        path (str or Sequence[str]): A file, a folder or a pattern (see :func:`find_files`), or several.
        splits (Sequence[str], optional): The splits whose refs are wanted (see :func:`is_in_split`). Default: None,
            all.
        instances_path (str, optional): The COCO annotation file that goes with it. Default: None.
        image_folder (str, optional): Where the images are. Default: None.
        form (Form, optional): Its form. Default: None, as recognised by what the files contain.
        options (Mapping[str, Any], optional): Options of the form. Default: None.
        with_masks (bool): Whether images and annotations are wanted beside the refs. Default: True.

    Returns:
        tuple[Content, list[str]]: The refs of these splits and those that do not say of which they are, with images
        and annotations of the form; and the splits that one can ask for.

    Raises:
        FileNotFoundError: If there is nothing at ``path``.
        ValueError: If a file is not whole, or of a form that cannot be read.
    """
    given = [path] if isinstance(path, str) else list(path)
    paths = [file for one in given for file in _find(one)]
    path = given[0]
    wanted = select_files(paths, splits)
    # If no file is of these splits, the message about them needs no more of the files.
    files = [SourceFile(one) for one in wanted]
    if not files:
        return Content([], {'images': [], 'annotations': []}), list_splits({split_of_file(one) for one in paths})
    if form is None:
        form = recognise(files[0].value, files[0].path)
        if form.convert_only:
            raise ValueError(f'{path} is {form.title}. Convert it to REFER files first: mmris '
                             f'convert_dataset {form.name} {os.path.basename(path)} --images FOLDER --out SET.')
    content = form.read(
        Source(files, path, instances_path, image_folder, options or {}, splits=splits, with_masks=with_masks))
    # The other files tell their splits without being read.
    names = {split_of_file(one) for one in set(paths) - set(wanted)}
    refs = []
    for one in content.refs:
        split = _split_of(one)
        if split is not None:
            names.add(split)
        # A ref that does not say which split it is of stays, so that it is reported.
        if split is None or splits is None or any(is_in_split(split, wanted) for wanted in splits):
            refs.append(one)
    return Content(refs, content.instances, content.left_out), list_splits(names)


def recognise_form(path: str) -> Form:
    """Tell which form a set is of.

    Args:
        path (str): A file, a folder or a pattern (see :func:`find_files`).

    Returns:
        Form: The form.

    Raises:
        FileNotFoundError: If there is nothing at ``path``.
        ValueError: If the file is not whole, or of a form that cannot be read.
    """
    first = _find(path)[0]
    return recognise(SourceFile(first).value, first)


def describe_other_form(path: str) -> Optional[str]:
    """Say what a file is that stands where COCO annotations are expected, if it is no JSON.

    Args:
        path (str): The file, or a folder.

    Returns:
        str, optional: Whole sentences, with what to do. None if it is JSON.

    Raises:
        ValueError: If it is of a format that is not read at all, or not whole.
    """
    if os.path.isfile(path) and is_json(path):
        return None
    fault = _describe_folder(path) if os.path.isdir(path) else None
    fault = fault or describe_value(open_value(path))
    return fault or 'It is of no form that is recognised. Name the JSON file with the masks.'


def _describe_folder(path: str) -> Optional[str]:
    """Say which form the files of a folder are of that stands for them; None if it stands for itself, or for others."""
    first = find_files(path)[0]
    if first == path:
        return None
    try:
        return describe_value(open_value(first), only_read=True) or None
    except ValueError:
        # The folder may hold anything.
        return None


def _find(path: str) -> List[str]:
    paths = find_files(path)
    if not paths:
        raise FileNotFoundError(f'{path} is missing.')
    return paths


def _split_of(one: RawRef) -> Optional[str]:
    split = one.ref.get('split') if isinstance(one.ref, dict) else None
    return to_well_formed(split) if isinstance(split, str) else None
