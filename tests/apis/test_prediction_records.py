"""Records of a run, whatever is in their file."""

import json

import pytest

from mmris.apis.inferencer.records import encode_record, find_records

RECORD = dict(index=0, batch_read=1)


def test_a_torn_last_line_is_no_record(tmp_path):
    path = tmp_path / '0.jsonl'
    path.write_bytes(encode_record(RECORD) + b'{"index": 1, "batch')
    assert list(find_records([path])) == [0]


@pytest.mark.parametrize('line, message', [
    (b'{', 'is not JSON'), (b'[' * 100000, 'is not JSON (it is nested too deeply)'), (b'"\xff"', 'is not JSON'),
    (b'[0]', 'is [0], but a record has whole numbers index and batch_read'),
    (json.dumps(dict(RECORD, index='0')).encode(), "is {'batch_read': 1, 'index': '0'}, but a record has"),
    (json.dumps(dict(RECORD, batch_read=None)).encode(), 'but a record has'), (b'{}', 'is {}, but a record has'),
], ids=str)
def test_lines_that_are_no_records(tmp_path, line, message):
    path = tmp_path / '0.jsonl'
    path.write_bytes(encode_record(RECORD) + line + b'\n')
    with pytest.raises(ValueError) as error:
        find_records([path])
    assert f'{path}, line 2 ' in str(error.value) and message in str(error.value)
    assert str(error.value).endswith('(--overwrite, in Python overwrite=True).')
