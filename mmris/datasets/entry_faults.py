"""What is wrong with single entries of a set: refs, their sentences, and images."""

from typing import Any, List, Optional, Sequence

from mmris.utils.ids import Id, read_id, read_whole_number
from mmris.utils.text import shorten

from .masks import max_image_pixels

NO_TARGET = -1
"""What gRefCOCO has as the id of an annotation where nothing in the image fits a sentence."""

_SENTENCE = '{"sent_id": 0, "sent": "the man"}'


def read_targets(ref: dict) -> List[Id]:
    """Ids of the annotations of a ref: none where all that it has says that there is no target."""
    return [one for one in map(read_id, as_list(ref['ann_id'])) if one != NO_TARGET]


def fault_of_ref(ref: Any) -> Optional[str]:
    """Say what is wrong with a ref, but for its sentences. None: nothing."""
    fault = fault_of_keys(ref, ('ref_id', 'ann_id', 'image_id', 'split', 'sentences'))
    fault = fault or fault_of_id(ref, 'ref_id') or fault_of_id(ref, 'image_id')
    if fault is not None:
        return fault
    return _fault_of_targets(ref) or fault_of_split(ref)


def _fault_of_targets(ref: dict) -> Optional[str]:
    given, shown = as_list(ref['ann_id']), f'has ann_id={shorten(ref["ann_id"])}'
    if ref['ann_id'] is None:
        return f'{shown}: it names no annotation. If nothing in the image fits the sentence, write []'
    if any(read_id(one) is None for one in given):
        return _id_fault('ann_id', ref['ann_id'])
    targets = read_targets(ref)
    if targets and len(targets) < len(given):
        return (f'{shown}, but {NO_TARGET} says that nothing in the image fits the sentence, and {shorten(targets[0])} '
                f'names an annotation that does. Remove one of them')
    # gRefCOCO marks refs of no target by `no_target`, Ref-ZOM by `source`. What `source` may be otherwise is not known.
    if targets and (ref.get('no_target') is True or ref.get('source') == 'zero'):
        mark = 'no_target=True' if ref.get('no_target') is True else 'source=\'zero\''
        return f'{shown} and {mark}, which says that nothing in the image fits the sentence. Correct one of them'
    if not targets and ref.get('no_target') is False:
        return f'{shown} and no_target=False, which says that something in the image fits. Correct one of them'
    return None


def fault_of_split(ref: dict) -> Optional[str]:
    """Say what is wrong with the split of a ref. None: nothing."""
    return None if isinstance(ref['split'], str) else f'has split={shorten(ref["split"])}, but a split is a name'


def fault_of_sentences(sentences: Any) -> Optional[str]:
    """Say what is wrong with what a ref has as its sentences, but for each of them. None: nothing."""
    if isinstance(sentences, (list, tuple)) and sentences:
        return None
    if isinstance(sentences, (str, dict)) and sentences:
        return f'has sentences={shorten(sentences)}, but sentences are a list of dicts: {_SENTENCE}'
    return 'has no sentence. Add one, or remove the ref'


def fault_of_sentence(sentence: Any) -> Optional[str]:
    """Say what is wrong with a sentence of a ref, but for its text. None: nothing."""
    if isinstance(sentence, str):
        return f'is the text {shorten(sentence)}, but a sentence is a dict: {_SENTENCE}'
    fault = fault_of_keys(sentence, ('sent_id', )) or fault_of_id(sentence, 'sent_id')
    if fault is not None:
        return fault
    skills = sentence.get('skills')
    if skills is None or (isinstance(skills, (list, tuple)) and
                          all(isinstance(skill, str) and '/' not in skill for skill in skills)):
        return None
    return f'has skills={shorten(skills)}, but skills are a list of names without "/", such as ["colour", "place"]'


def fault_of_image(image: dict) -> Optional[str]:
    """Say what is wrong with the entry of an image, which has an id. None: nothing."""
    given = [side for side in ('height', 'width') if image.get(side) is not None]
    fault = fault_of_keys(image, ('file_name', *(('height', 'width') if given else ())))
    if fault is not None:
        return fault
    if not given:
        return _fault_of_name(image)
    sizes = [read_whole_number(image[side]) for side in ('height', 'width')]
    if not isinstance(image['file_name'], str) or not all(size is not None and size > 0 for size in sizes):
        return f'{_told(image)}, but needs a name and two positive integers'
    if sizes[0] * sizes[1] > max_image_pixels():
        return f'{_told(image)}, which are more than {max_image_pixels() // 10**6} million pixels. Make it smaller'
    return _fault_of_name(image)


def _fault_of_name(image: dict) -> Optional[str]:
    name = image['file_name']
    if not isinstance(name, str):
        return f'has file_name={shorten(name)}, but needs a name'
    if '://' in name:
        return f'has file_name={shorten(name)}, but images are files below data_prefix.img_path. Download it, and ' \
            'name the file'
    return None


def _told(image: dict) -> str:
    return 'has ' + ', '.join(f'{key}={shorten(image[key])}' for key in ('file_name', 'height', 'width'))


def fault_of_keys(entry: Any, wanted: Sequence[str]) -> Optional[str]:
    """Say which of these keys an entry lacks, which may be no dict at all. None: none of them."""
    missing = [key for key in wanted if key not in entry] if isinstance(entry, dict) else wanted
    return f'lacks {", ".join(missing)}' if missing else None


def fault_of_dict(entry: Any, wanted: Sequence[str]) -> Optional[str]:
    """Say that an entry is no dict, or which of these keys it lacks. None: it is one that has all."""
    if not isinstance(entry, dict):
        return f'is {shorten(entry)}, but a dict is expected'
    return fault_of_keys(entry, wanted)


def fault_of_id(entry: dict, key: str) -> Optional[str]:
    """Say that what an entry has under a key is no id. None: it is one."""
    return None if read_id(entry[key]) is not None else _id_fault(key, entry[key])


def _id_fault(key: str, value: Any) -> str:
    return f'has {key}={shorten(value)}, but ids are whole numbers or text'


def as_list(value: Any) -> Sequence[Any]:
    """Return a list or tuple as it is, and anything else as a list of it."""
    return value if isinstance(value, (list, tuple)) else [value]
