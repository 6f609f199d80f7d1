"""Forms that are recognised and refused, because they cannot give right masks."""

from typing import Any, Tuple

from .form import UnfitForm, first_entry, has_keys

# What torch.save of before 2020 begins its files with.
_OF_TORCH = 0x1950a86a20f9469cfc6c


def _is_mevis(value: Any) -> bool:
    return has_keys(value, 'videos') and isinstance(value['videos'], dict)


def _is_torch_list(value: Any) -> bool:
    return value == _OF_TORCH


def _is_coco_alone(value: Any) -> bool:
    return has_keys(value, 'images', 'annotations')


def _is_result_list(value: Any) -> bool:
    return has_keys(first_entry(value), 'image_id', 'score')


UNFIT_FORMS: Tuple[UnfitForm, ...] = (
    UnfitForm(
        title='a list of video expressions (MeViS, Ref-YouTube-VOS)',
        recognise=_is_mevis,
        reason='mmris segments images, not videos. Take a set of images.'),
    UnfitForm(
        title='a file of torch.save, as TransVG and OneRef keep lists of boxes in',
        recognise=_is_torch_list,
        reason='It has neither ids nor, as a rule, masks. Take the refs(...).p and instances.json of the same set: '
        'python -m mmris download refcoco.'),
    UnfitForm(
        title='a COCO results file',
        recognise=_is_result_list,
        reason='It has no sentences. Instance masks of a segmenter go to inputs.instance_masks of a config '
        '(docs/data.md).'),
    UnfitForm(
        title='a COCO annotation file without sentences',
        recognise=_is_coco_alone,
        reason='It goes to ann_file. refs_file is the file with the sentences, such as refs(unc).p.'),
)
