"""Annotation files as they come: in any encoding and under any name, or something else altogether."""

import gzip
import json
import pickle
import zipfile

import pytest

from mmris.datasets.data_files import read_json, read_json_or_pickle

REFS = [dict(ref_id=1, sentences=[dict(sent='café 象 \U0001f600')]), dict(ref_id=2, sentences=[])]
ENCODINGS = ('utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'utf-16-be', 'utf-32', 'utf-32-le', 'utf-32-be')


def write(path, content):
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize('name', ['refs.json', 'refs.JSON', 'refs(unc).p', 'refs'])
@pytest.mark.parametrize('encoding', ENCODINGS)
def test_json_of_any_encoding_and_name(tmp_path, encoding, name):
    text = json.dumps(REFS, ensure_ascii=False, indent=1)
    if encoding in ('utf-16-le', 'utf-32-be'):
        text = '\n ' + text
    path = write(tmp_path / name, text.encode(encoding))
    assert read_json(path) == read_json_or_pickle(path) == REFS


@pytest.mark.parametrize('ending', ['', '\n', '\r\n\r\n'])
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-16'])
def test_json_lines(tmp_path, encoding, ending):
    text = '\n'.join(json.dumps(ref) for ref in REFS) + ending
    for name in ('refs.jsonl', 'refs.json', 'refs.p'):
        assert read_json_or_pickle(write(tmp_path / name, text.encode(encoding))) == REFS
    assert read_json(write(tmp_path / 'one.json', json.dumps(REFS[0]).encode())) == REFS[0]


def test_dicts_are_seen_as_they_are_read(tmp_path):
    text = '{"id": 1, "inner": {"id": 2}}\n{"id": 3}'
    assert read_json(write(tmp_path / 'lines.json', text.encode()), lambda entry: entry['id']) == [1, 3]


def test_a_number_of_too_many_digits_is_no_reason_to_lose_a_file(tmp_path):
    path = write(tmp_path / 'refs.json', b'[{"id": 1, "area": ' + b'9' * 5000 + b', "box": [-' + b'7' * 300 + b']}]')
    seen = []
    found, = read_json(path, lambda entry: seen.append(entry['id']) or entry)
    assert found == dict(id=1, area=float('inf'), box=[-int('7' * 300)]) and seen[-1] == 1


def test_a_file_that_begins_with_nothing(tmp_path):
    for begin in (b'\n' * 600, b' ' * 4096):
        assert read_json(write(tmp_path / 'refs.json', begin + b'[1]')) == [1]


def test_half_a_character_is_no_reason_to_lose_a_file(tmp_path):
    for content in (b'["\\ud83d"]', '["\ud83d"]'.encode('utf-8', 'surrogatepass')):
        assert read_json(write(tmp_path / 'refs.json', content)) == ['\ud83d']


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_any_name(tmp_path, protocol):
    path = write(tmp_path / 'refs.json', pickle.dumps(REFS, protocol))
    assert read_json_or_pickle(path) == REFS
    with pytest.raises(ValueError, match='refs.json is a pickle, and JSON is expected. Check which file is which'):
        read_json(path)


@pytest.mark.parametrize('content, message', [
    (b'', 'is empty. Fetch or make it again'),
    (b' \n', 'is empty. Fetch or make it again'),
    (b'<!DOCTYPE html><html>', 'is an HTML page: the download gave a page instead of the file'),
    (b'version https://git-lfs.github.com/spec/v1\noid', 'is a Git LFS pointer.*fetch that with "git lfs pull"'),
    (b'<?xml version="1.0"?><Error>', 'is an XML document'),
    (gzip.compress(b'[]', mtime=0), 'is compressed with gzip: unpack it first'),
    (b'PAR1' + bytes(20), 'is a Parquet file'),
    (b'PK\x03\x04' + bytes(20), 'is a zip archive .*: unpack it, and name the file in it'),
    (bytes(257) + b'ustar\x0000', 'is a tar archive: unpack it first'),
    (b'\xff\xd8\xff\xe0', 'is a JPEG image'),
    (b'[{"ref_id": 1}', 'is not a whole JSON file'),
    (b'{"ref_id": 1}\n{"ref_id"', 'is not a whole JSON file'),
    (b'[{"ref_id": 1}]\n[]', 'is not a whole JSON file .Extra data'),
    (b'[' * 100000, 'is nested more deeply than annotations are'),
    (b'["caf\xe9"]', 'is not text in UTF-8 .invalid continuation byte at byte 5.. Save it as UTF-8'),
])
def test_what_is_neither(tmp_path, content, message):
    path = write(tmp_path / 'refs.json', content)
    for read in (read_json, read_json_or_pickle):
        with pytest.raises(ValueError, match=f'refs.json {message}'):
            read(path)


def test_text_that_is_no_json(tmp_path):
    with pytest.raises(ValueError, match="refs.csv holds neither JSON nor a pickle: it begins with b'image,mask"):
        read_json_or_pickle(write(tmp_path / 'refs.csv', b'image,mask,sentence\n'))
    with pytest.raises(ValueError, match="refs.csv is not JSON: it begins with b'image,mask"):
        read_json(str(tmp_path / 'refs.csv'))


def test_a_zip_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / 'refs.p', 'w') as archive:
        archive.writestr('refs.json', '[]')
    with pytest.raises(ValueError, match='refs.p is a zip archive'):
        read_json_or_pickle(str(tmp_path / 'refs.p'))
