"""Files that commands read back: lists of images and sentences, events of the page, and what lies in work folders."""

import json
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterator

from mmris.apis.inferencer.folder import ResultsFolder
from mmris.apis.inferencer.pairs import locate, read_pairs
from mmris.apis.inferencer.records import RecordFile, RecordReader, find_records
from mmris.checkpoints.runs import find_checkpoints
from mmris.checkpoints.runs.initial import BEGAN_FROM, check_initial_checkpoints
from mmris.commands.convert_dataset import RECORD, find_foreign
from mmris.datasets.shaperef.writer import SETTINGS_FILE, _find_present
from mmris.datasets.stored_split import describe_split, read_stored_split
from mmris.evaluation.error_analysis import analyse, read_expression_rows
from mmris.utils.commands import SETTINGS, check_run_settings
from mmris.utils.training_log import read_training_log, summarise_log
from mmris.web.gate import Gate
from mmris.web.limits import Limits
from mmris.web.uploads import Uploads

from .mutation import mutate_json, mutate_lines, mutate_table
from .target import Read, Target, reading_file

_INFERENCER = 'mmris.apis.inferencer'
_RUN = dict(kind='predictions for images', model=dict(type='A', parts=[dict(type='B')]), images=dict(count=3))


def _locate_all(path: Path) -> None:
    for image in read_pairs(path):
        locate(image, path, None)


def _tables(_: Path) -> Iterator[bytes]:
    yield b'image,sentence,split\na.jpg,the red one,val\n"b, c.jpg","say ""it""",\n'
    yield b'image\tsentence\na.jpg\tthe red one\n'
    yield '\ufeffsentence;image\nà gauche;a.jpg\n'.encode()


def _objects(_: Path) -> Iterator[bytes]:
    rows = [dict(image='a.jpg', sentence='the red one', more=1), dict(image='b.jpg', sentence='it')]
    yield '\n'.join(map(json.dumps, rows)).encode()
    yield json.dumps(rows).encode()


def _prepare_records(folder: Path) -> Read:
    path = folder / 'records.jsonl'

    def read(content: bytes) -> None:
        path.write_bytes(content)
        with RecordReader() as reader:
            for place in find_records([path]).values():
                reader.read(place)
        records = RecordFile(path)
        records.close()

    return read


def _records(_: Path) -> Iterator[bytes]:
    rows = [dict(index=0, batch_read=2, image='a.jpg', predictions=[]), dict(index=1, batch_read=2, error='broken')]
    yield b''.join(json.dumps(row).encode() + b'\n' for row in rows)


def _prepare_results_folder(folder: Path) -> Read:
    out = ResultsFolder(folder / 'out')

    def read(content: bytes) -> None:
        out.path.mkdir(exist_ok=True)
        (out.path / SETTINGS).write_bytes(content)
        out.prepare({key: value for key, value in _RUN.items() if key != 'kind'}, overwrite=False)

    return read


def _event(_: Path) -> Iterator[bytes]:
    picture = dict(path='/a/b.png', url='http://a/b.png', meta=dict(_type='gradio.FileData'))
    yield json.dumps(dict(data=[picture, 'the red one', 0.35, None], fn_index=2, session_hash='abc')).encode()


def _prepare_event(folder: Path) -> Read:
    gate = Gate(lambda *_: None, Uploads(folder, Limits()), [], Limits())
    return gate._are_served


def _json(value: Any, _: Path) -> Iterator[bytes]:
    yield json.dumps(value).encode()


def _prepare_log(folder: Path) -> Read:
    path = folder / '20240501_100000' / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)

    def read(content: bytes) -> None:
        path.write_bytes(content)
        log = read_training_log(folder)
        summarise_log(log)
        for name in [*log.losses, *log.metrics]:
            log.series(name)

    return read


def _logs(_: Path) -> Iterator[bytes]:
    rows = [dict(lr=0.1, data_time=0.1, time=0.2, loss=1.5, memory=100, iter=10, epoch=1, step=10),
            dict(loss=1.0, target_share_vmlsd=0.5, chance_vmlsd=0.2, iter=20, epoch=1, step=20),
            {'mIoU': 50.0, 'time': 0.1, 'step': 1, 'skills/colour': 3.0}]
    yield '\n'.join(map(json.dumps, rows)).encode() + b'\n'


def _prepare_pointer(folder: Path) -> Read:
    (folder / 'iter_10.pth').write_bytes(b'')

    def read(content: bytes) -> None:
        (folder / 'last_checkpoint').write_bytes(content)
        find_checkpoints(folder)

    return read


def _prepare_initial(folder: Path) -> Read:
    (folder / 'iter_10.pth').write_bytes(b'')
    (folder / 'start.pth').write_bytes(b'')

    def read(content: bytes) -> None:
        (folder / BEGAN_FROM).write_bytes(content)
        check_initial_checkpoints(folder, [folder / 'start.pth'])

    return read


def _expected(*kinds: type) -> Callable[[Callable], Callable]:
    """Take errors that say that a folder is somebody else's for right answers."""

    def wrap(read: Callable) -> Callable:

        def wrapped(content: bytes) -> None:
            try:
                read(content)
            except kinds:
                pass

        return wrapped

    return wrap


def _prepare_folder(name: str, check: Callable[[Path], object], folder: Path) -> Read:

    @_expected(FileExistsError)
    def read(content: bytes) -> None:
        (folder / name).write_bytes(content)
        check(folder)

    return read


def _analyse(path: Path) -> None:
    for rows in read_expression_rows(path).values():
        analyse(rows)


def _expressions(_: Path) -> Iterator[bytes]:
    row = dict(split='val', img_id=1, img_path='a.jpg', ref_id=2, sent_id=3, text='the red one', iou=0.6,
               intersection=6, union=10, predicted_pixels=8, target_pixels=8, image_pixels=100, same_class=2,
               skills=['colour'], rejected=False, words=3)
    yield json.dumps(row).encode() + b'\n' + json.dumps(dict(row, sent_id=4, iou=0, intersection=0)).encode() + b'\n'


TARGETS = [
    Target(name='pairs_table', readers=[f'{_INFERENCER}.pairs', 'mmris.datasets.readers.opening'],
           prepare=reading_file('pairs.csv', _locate_all), seeds=_tables, mutate=mutate_table),
    Target(name='pairs_lines', readers=[f'{_INFERENCER}.pairs', 'mmris.datasets.data_files'],
           prepare=reading_file('pairs.jsonl', _locate_all), seeds=_objects, mutate=mutate_lines),
    Target(name='records', readers=[f'{_INFERENCER}.records'], prepare=_prepare_records, seeds=_records,
           mutate=mutate_lines),
    Target(name='results_folder', readers=[f'{_INFERENCER}.folder', 'mmris.utils.commands'],
           prepare=_prepare_results_folder, seeds=partial(_json, _RUN), mutate=mutate_json),
    Target(name='run_settings', readers=['mmris.utils.commands', 'mmris.utils.config_comparison'],
           prepare=lambda folder: reading_file(SETTINGS, lambda path: check_run_settings(
               path.parent, _RUN, run='a run', remedy='name another'))(folder),
           seeds=partial(_json, _RUN), mutate=mutate_json),
    Target(name='web_events', readers=['mmris.web.gate'], prepare=_prepare_event, seeds=_event, mutate=mutate_json),
    Target(name='training_log', readers=['mmris.utils.training_log'], prepare=_prepare_log, seeds=_logs,
           mutate=mutate_lines),
    Target(name='last_checkpoint', readers=['mmris.checkpoints.runs.finding'], prepare=_prepare_pointer,
           seeds=lambda _: iter([b'/a/b/iter_10.pth'])),
    Target(name='begun_from', readers=['mmris.checkpoints.runs.initial'], prepare=_prepare_initial,
           seeds=partial(_json, {'/a/start.pth': '0' * 64}), mutate=mutate_json),
    Target(name='shaperef_settings', readers=['mmris.datasets.shaperef.writer'],
           prepare=partial(_prepare_folder, SETTINGS_FILE, lambda folder: _find_present(folder, dict(seed=0), False)),
           seeds=partial(_json, dict(format='shaperef', seed=0, val=3)), mutate=mutate_json),
    Target(name='converted_record', readers=['mmris.commands.convert_dataset'],
           prepare=partial(_prepare_folder, RECORD, find_foreign), seeds=partial(_json, dict(files=['a.json', RECORD])),
           mutate=mutate_json),
    Target(name='stored_split', readers=['mmris.datasets.stored_split'],
           prepare=reading_file('a.json', lambda path: read_stored_split(str(path))),
           seeds=partial(_json, dict(info=describe_split('mine "é"'), images=[])), mutate=mutate_json),
    Target(name='expression_rows', readers=['mmris.evaluation.error_analysis'],
           prepare=reading_file('rows.jsonl', _analyse), seeds=_expressions, mutate=mutate_lines),
]
