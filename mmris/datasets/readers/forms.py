"""The forms by name, and which one a file is of."""

from difflib import get_close_matches
from typing import Any, Dict

from .arefcoco import AREFCOCO
from .coco_sentences import COCO_SENTENCES
from .cris import CRIS
from .csv_masks import CSV
from .cvat import CVAT
from .form import Form
from .gseval import GSEVAL
from .hf_refcoco import HF_REFCOCO, HF_REFCOCO_BENCHMARK
from .label_studio import LABEL_STUDIO
from .mask_folder import MASKS
from .mdetr import MDETR
from .phrasecut import PHRASECUT
from .reasonseg import REASONSEG
from .refcoco_m import REFCOCO_M
from .refer import REFER
from .sa2va import SA2VA
from .seqtr import SEQTR
from .unfit import UNFIT_FORMS

FORMS: Dict[str, Form] = {
    form.name: form
    for form in (REFER, HF_REFCOCO, HF_REFCOCO_BENCHMARK, REFCOCO_M, GSEVAL, MDETR, SEQTR, AREFCOCO, PHRASECUT,
                 REASONSEG, SA2VA, LABEL_STUDIO, CVAT, CSV, COCO_SENTENCES, CRIS, MASKS)
}
"""The forms that are read. If a value could be of two, it is of the first."""


def find_form(name: str) -> Form:
    """Look up a form.

    Args:
        name (str): Its name.

    Returns:
        Form: The form.

    Raises:
        ValueError: If there is none of this name. The message lists all.
    """
    if name in FORMS:
        return FORMS[name]
    longer = [one for one in FORMS if name and one.startswith(name.lower())]
    near = longer or get_close_matches(name, FORMS, n=1)
    hint = f' Did you mean {near[0]}?' if near else ''
    raise ValueError(f'There is no form {name!r}.{hint} Forms: auto (as recognised by the files), {", ".join(FORMS)}.')


def recognise(value: Any, path: str) -> Form:
    """Tell which form a file is of.

    Args:
        value (Any): What it holds.
        path (str): Where it is, for messages.

    Returns:
        Form: The form. A list of anything is taken for refs, so that the checks say what is wrong with its entries.

    Raises:
        ValueError: If it is of a form that cannot give right masks, or an empty list. The message says which, and what
            to take instead.
    """
    if isinstance(value, (list, tuple)) and not value:
        raise ValueError(f'{path} is an empty list, without any sentence. Fetch or make it again.')
    for form in FORMS.values():
        if form.recognise(value):
            return form
    for unfit in UNFIT_FORMS:
        if unfit.recognise(value):
            raise ValueError(f'{path} is {unfit.title}. {unfit.explain(value)}')
    return REFER


def describe_value(value: Any, *, only_read: bool = False) -> str:
    """Say what a value is that stands where COCO annotations are expected, and what to do with it.

    Args:
        value (Any): What a file holds.
        only_read (bool): Whether only forms that are read count. Default: False.

    Returns:
        str: Whole sentences; empty if it is not recognised.
    """
    for form in FORMS.values():
        if form.recognise(value):
            remedy = f'Convert it: mmris convert_dataset {form.name} FILES --images FOLDER --out SET.' \
                if form.convert_only else 'Name it as the refs file (refs_file, --refs-file).'
            return f'It is {form.title}. {remedy}'
    unfit = None if only_read else next((one for one in UNFIT_FORMS if one.recognise(value)), None)
    return '' if unfit is None else f'It is {unfit.title}. {unfit.explain(value)}'
