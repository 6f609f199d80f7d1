"""Writing a ShapeRef set to a folder, in the files of the RefCOCO family."""

import json
import multiprocessing
import os
import pickle
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple, Union

from mmris.names import SHAPEREF_STYLES
from mmris.utils import usable_cpus
from mmris.utils.folders import remove_leftovers, write_folder
from mmris.utils.json_files import JSON_ERRORS

from .records import CATEGORIES, MAX_SPLIT_COUNT, ImageRecord, make_record
from .summary import count_findings, summarise

FORMAT_VERSION = 2
SETTINGS_FILE = 'shaperef.json'
INSTANCES_FILE = 'instances.json'
INSTANCE_MASKS_FILE = 'instance_masks.json'
IMAGE_FOLDER = 'images'

DEFAULT_COUNTS: Dict[str, Dict[str, int]] = {
    'refcoco': {'train': 6000, 'val': 500, 'testA': 250, 'testB': 250},
    'refcoco+': {'train': 6000, 'val': 500, 'testA': 250, 'testB': 250},
    'refcocog': {'train': 6000, 'val': 500, 'test': 250},
}
"""Splits of each style, in the order of the files, and how many images they have by default."""

_REFS_FILE = {'refcoco': 'refs(unc).p', 'refcoco+': 'refs(unc).p', 'refcocog': 'refs(umd).p'}
_SHARES = ('no_target_share', 'several_share')
_CHUNK = 16
_SECONDS_BETWEEN_REPORTS = 2.0


def write_shaperef(out: Union[str, Path], *, seed: int = 0, style: str = 'refcoco',
                   counts: Optional[Mapping[str, int]] = None, no_target_share: float = 0.,
                   several_share: float = 0., processes: Optional[int] = None,
                   overwrite: bool = False) -> Dict[str, Any]:
    """Write a ShapeRef set: ``instances.json``, ``refs(...).p``, ``images/``, ``shaperef.json``, and
    ``instance_masks.json``, what an imperfect segmenter finds, as a COCO results file.

    The folder appears only when it is complete. A folder that already holds a set with the same
    settings is left as it is. What a killed run left beside it is removed. The files depend on
    ``seed``, ``style``, ``counts`` and the two shares alone, and of the shares only the refs do.

    Args:
        out: Folder to write; its parents are made.
        seed: Seed of the set, >= 0.
        style: ``'refcoco'`` (with places), ``'refcoco+'`` (appearance only) or ``'refcocog'``
            (longer, mostly with relations). The pictures of all styles are the same.
        counts: Images per split, each at least 1; a split that is not named is left out. The
            splits are ``train, val, testA, testB``, of ``'refcocog'`` ``train, val, test``. None
            stands for :data:`DEFAULT_COUNTS`.
        no_target_share: Share of the refs that fit nothing on their image, on average, from 0 to 1.
            Half of them are near misses, half name what is absent. The others stay as they were.
        several_share: Share of the refs that fit several objects, on average, from 0 to
            ``1 - no_target_share``.
        processes: Number of worker processes; None stands for the number of usable CPUs.
        overwrite: Replace a ShapeRef that is already in the folder.

    Returns:
        What ``shaperef.json`` holds: ``format``, ``format_version``, ``seed``, ``style``,
        ``counts``, each share that is not 0, and ``summary``, per split ``images``, ``refs``,
        ``sentences``, ``skills`` (sentences that use each, and sentences of each tag: ``near miss``,
        ``absent``, ``several``), ``instance_masks`` (``masks, missing, doubled, false``).

    Raises:
        ValueError: If an argument is not one of the above.
        FileExistsError: If the folder holds a ShapeRef with other settings, or one of which files
            are missing, and ``overwrite`` is false.
        FileExistsError: If the folder holds anything else.
    """
    settings = _check_settings(seed, style, counts)
    settings.update(_check_shares(no_target_share=no_target_share, several_share=several_share))
    if processes is None:
        processes = usable_cpus()
    _check_integer('processes', processes, 1)
    out = Path(os.path.abspath(out))
    remove_leftovers(out)
    present = _find_present(out, settings, overwrite)
    if present is not None:
        print(f'{out} already holds this ShapeRef: nothing to do.', file=sys.stderr)
        return present
    with write_folder(out) as folder:
        return _write_files(folder, settings, processes)


def _check_integer(name: str, value: Any, least: int, most: Optional[int] = None) -> None:
    right = isinstance(value, int) and not isinstance(value, bool) and value >= least
    if not right or (most is not None and value > most):
        limits = f'of at least {least}' if most is None else f'from {least} to {most}'
        raise ValueError(f'{name} must be an integer {limits}, but got {value!r}.')


def _check_settings(seed: int, style: str, counts: Optional[Mapping[str, int]]) -> Dict[str, Any]:
    _check_integer('seed', seed, 0)
    if style not in SHAPEREF_STYLES:
        raise ValueError(f"style must be one of {', '.join(SHAPEREF_STYLES)}, but got {style!r}.")
    splits = DEFAULT_COUNTS[style]
    counts = splits if counts is None else counts
    if not counts or not set(counts) <= set(splits):
        raise ValueError(f"counts must name one or more of the splits {', '.join(splits)} of style "
                         f'{style!r}, but got {dict(counts)!r}.')
    for split, count in counts.items():
        _check_integer(f'counts[{split!r}]', count, 1, MAX_SPLIT_COUNT)
    return {
        'format': 'shaperef',
        'format_version': FORMAT_VERSION,
        'seed': seed,
        'style': style,
        'counts': {split: counts[split] for split in splits if split in counts},
    }


def _check_shares(**shares: float) -> Dict[str, float]:
    """Return the shares that are not 0, so that a set without them has the settings that it always had."""
    for name, share in shares.items():
        is_number = isinstance(share, (int, float)) and not isinstance(share, bool)
        if not is_number or not 0 <= share <= 1:
            raise ValueError(f'{name} must be a number from 0 to 1, but got {share!r}.')
    if sum(shares.values()) > 1:
        raise ValueError(f'{" and ".join(shares)} must not add up to more than 1, but got '
                         f'{" and ".join(map(repr, shares.values()))}.')
    return {name: float(share) for name, share in shares.items() if share}


def _find_present(out: Path, settings: Dict[str, Any], overwrite: bool) -> Optional[Dict[str, Any]]:
    """Return the content of a set with these settings that need not be written again."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    no_shares = dict.fromkeys(_SHARES, 0)
    wanted = {**no_shares, **settings}
    try:
        content = json.loads((out / SETTINGS_FILE).read_text(encoding='utf-8'))
        found = {key: content.get(key, no_shares.get(key)) for key in wanted}
    except (OSError, *JSON_ERRORS, AttributeError):
        found = {}
    if found.get('format') != 'shaperef':
        raise FileExistsError(
            f'{out} holds something other than a ShapeRef, which --overwrite (overwrite=True) '
            'does not replace: name another folder or remove this one yourself.')
    if overwrite:
        return None
    if found != wanted:
        differing = ', '.join(f'{key} {found[key]!r} instead of {wanted[key]!r}'
                              for key in wanted if found[key] != wanted[key])
        raise FileExistsError(f'{out} holds a ShapeRef with other settings ({differing}): name '
                              'another folder or pass --overwrite (overwrite=True) to replace it.')
    missing = _find_missing(out, settings)
    if missing:
        raise FileExistsError(f'{out} holds this ShapeRef, but lacks {", ".join(missing)}: pass '
                              '--overwrite (overwrite=True) to make it again.')
    return content


def _find_missing(out: Path, settings: Dict[str, Any]) -> List[str]:
    files = (INSTANCES_FILE, INSTANCE_MASKS_FILE, _REFS_FILE[settings['style']])
    missing = [name for name in files if not (out / name).is_file()]
    wanted = sum(settings['counts'].values())
    left = wanted - sum(1 for _ in (out / IMAGE_FOLDER).glob('*.jpg'))
    return [*missing, f'{left} of {wanted} images'] if left > 0 else missing


def _write_files(folder: Path, settings: Dict[str, Any], processes: int) -> Dict[str, Any]:
    (folder / IMAGE_FOLDER).mkdir()
    jobs = [(split, index) for split, count in settings['counts'].items() for index in range(count)]
    images: List[Dict[str, Any]] = []
    annotations: List[Dict[str, Any]] = []
    refs: List[Dict[str, Any]] = []
    results: List[Dict[str, Any]] = []
    found: Dict[str, Counter] = {split: Counter() for split in settings['counts']}
    records = _make_records(settings, jobs, processes)
    for (split, _), record in zip(jobs, _report_progress(records, len(jobs))):
        (folder / IMAGE_FOLDER / record.image['file_name']).write_bytes(record.jpeg)
        images.append(record.image)
        annotations.extend(record.annotations)
        refs.extend(record.refs)
        results.extend(record.findings.results)
        found[split].update(count_findings(record.findings))
    _number_sentences(refs)
    instances = {
        'info': {'description': f"ShapeRef, style {settings['style']}, seed {settings['seed']}"},
        'licenses': [],
        'images': images,
        'annotations': annotations,
        'categories': CATEGORIES,
    }
    _write_json(folder / INSTANCES_FILE, instances)
    _write_json(folder / INSTANCE_MASKS_FILE, results)
    # A pickle also tells which equal strings are one object in memory, which depends on the number
    # of processes; through JSON that becomes a function of the content.
    refs = json.loads(json.dumps(refs))
    (folder / _REFS_FILE[settings['style']]).write_bytes(pickle.dumps(refs, protocol=2))
    content = {**settings, 'summary': summarise(settings['counts'], refs, found)}
    _write_json(folder / SETTINGS_FILE, content, indent=2)
    return content


def _write_json(path: Path, content: Any, indent: Optional[int] = None) -> None:
    path.write_text(json.dumps(content, indent=indent), encoding='utf-8')


def _make_records(settings: Dict[str, Any], jobs: List[Tuple[str, int]],
                  processes: int) -> Iterator[ImageRecord]:
    shares = {name: settings[name] for name in _SHARES if name in settings}
    make = partial(make_record, settings['seed'], settings['style'], **shares)
    processes = min(processes, -(-len(jobs) // _CHUNK))
    if processes == 1:
        yield from map(make, *zip(*jobs))
        return
    # Forking spares every worker the import of the package's stack; elsewhere than on Linux it is
    # not safe.
    context = multiprocessing.get_context('fork' if sys.platform == 'linux' else 'spawn')
    executor = ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_parent)
    try:
        yield from executor.map(make, *zip(*jobs), chunksize=_CHUNK)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """Of a worker: end when the parent does, which cannot tell it to when it is killed."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _number_sentences(refs: List[Dict[str, Any]]) -> None:
    sentence_count = 0
    for ref_id, ref in enumerate(refs):
        ref['ref_id'] = ref_id
        for sentence in ref['sentences']:
            sentence['sent_id'] = sentence_count
            ref['sent_ids'].append(sentence_count)
            sentence_count += 1


def _report_progress(records: Iterator[ImageRecord], total: int) -> Iterator[ImageRecord]:
    """Pass the records on and print, now and then, how far it is and how long it will take."""
    start = reported = time.monotonic()
    for done, record in enumerate(records, start=1):
        yield record
        now = time.monotonic()
        if now - reported >= _SECONDS_BETWEEN_REPORTS or (done == total and reported > start):
            reported = now
            left = (now - start) / done * (total - done)
            print(f'shaperef: {done}/{total} images, {done / (now - start):.0f} a second, '
                  f'{left:.0f} s to go', file=sys.stderr, flush=True)
