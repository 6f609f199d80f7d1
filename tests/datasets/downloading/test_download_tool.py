"""The command: from nothing to a checked set, and what it lists."""

from dataclasses import replace

import pytest

from mmris.datasets.downloading import DATA_SETS, get_data_set, next_command
from tests.conftest import run_command
from tests.datasets.downloading.file_server import serve_files, zip_folder
from tests.datasets.refcoco_family import write_family


def main(arguments):
    return run_command('download', *arguments)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A server with small sets in the archives of the table."""
    family = write_family(tmp_path / 'family')
    with serve_files() as server:
        for name, inside in (('refcoco', 'refcoco'), ('refcocog', 'refcocog'), ('coco-train2014', 'coco/train2014')):
            row = DATA_SETS[name]
            source = replace(row.sources[0], address=server.address(f'{name}.zip'))
            server.files[f'{name}.zip'] = zip_folder(family / inside, row.folder)
            monkeypatch.setitem(DATA_SETS, name, replace(row, sources=(source, ), image_count=row.image_count and 12))
        yield server


def test_from_nothing_to_a_checked_set(served, tmp_path, capsys):
    """Counts of small sets are not the published ones: status 1."""
    root = tmp_path / 'data'
    assert main(['refcoco', '--root', str(root)]) == 1
    output = capsys.readouterr().out
    assert sorted(path.name for path in (root / 'refcoco').iterdir()) == [
        'instances.json', 'refs(google).p', 'refs(unc).p']
    assert 'counts against RefCOCO (unc)' in output and 'counts against RefCOCO (google)' in output
    # Images are still to come, which is no fault.
    assert 'Broken entries: 0; counts of train' in output and 'missing image file' not in output
    assert f'The images are not in {root}/coco/train2014 yet.' in output
    assert output.endswith(f'Next:\n    mmris download coco-train2014 --root {root}\n')
    assert main(['coco-train2014', '--root', str(root)]) == 0
    output = capsys.readouterr().out
    assert f'{root}/coco/train2014: 12 images, as published' in output
    check = f"mmris check_dataset --data-root {root}/refcoco --refs-file 'refs(unc).p' --decode"
    assert output.endswith(f'Next:\n    {check}\n')


def test_what_archives_lack(served, tmp_path):
    served.files['refcocog.zip'] = zip_folder(tmp_path / 'family/refcoco', 'refcocog')
    with pytest.raises(FileNotFoundError, match=r'refcocog.zip lacks refs\(umd\).p; what else it has of '):
        main(['refcocog', '--root', str(tmp_path / 'data')])


@pytest.mark.parametrize('arguments', [[], ['list']])
def test_the_list(arguments, capsys):
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[1::2] == ['name', 'what', 'size', 'licence', 'address']
    for row in DATA_SETS.values():
        assert any(row.name in line and row.sources[0].address in line for line in lines)
    assert any('13.5 GB' in line for line in lines)


def test_unknown_names():
    with pytest.raises(ValueError, match=r"There is no data set 'refcoc' to download. Did you mean refcoco\? Data "
                       r'sets: refcoco, refcoco\+, refcocog, refclef, grefcoco, coco-train2014, saiapr.'):
        main(['refcoc'])
    assert get_data_set('RefCOCO+').folder == 'refcoco+'


def test_next_command_of_refclef(tmp_path):
    """Its images are not where others have theirs."""
    row = DATA_SETS['refclef']
    (tmp_path / 'refclef').mkdir()
    for name in row.files:
        (tmp_path / 'refclef' / name).touch()
    assert next_command([row], tmp_path) == f'mmris download saiapr --root {tmp_path}'
    (tmp_path / 'saiapr_tc-12').mkdir()
    for number in range(19997):
        (tmp_path / f'saiapr_tc-12/{number}.jpg').touch()
    assert next_command([row], tmp_path) == (
        f"mmris check_dataset --data-root {tmp_path}/refclef --refs-file 'refs(unc).p' --image-folder "
        f'../saiapr_tc-12 --decode')


def test_files_of_the_hub(tmp_path, monkeypatch, capsys):
    """Files that are no archives go to their places."""
    family = write_family(tmp_path / 'family')
    row = DATA_SETS['grefcoco']
    assert row.sources[0].address == (
        'https://huggingface.co/datasets/FudanCVL/gRefCOCO/resolve/main/grefs(unc).json')
    with serve_files() as server:
        server.files['instances.json'] = (family / 'refcoco/instances.json').read_bytes()
        server.files['grefs(unc).json'] = (
            b'[{"ref_id": 1, "ann_id": [-1], "image_id": 1, "split": "val", "sentences": '
            b'[{"sent_id": 1, "sent": "a"}]},'
            b'{"ref_id": 2, "ann_id": [101, 102], "image_id": 1, "split": "val", "sentences": '
            b'[{"sent_id": 2, "sent": "b"}]}]')
        sources = tuple(replace(one, address=server.address(one.name)) for one in row.sources)
        monkeypatch.setitem(DATA_SETS, 'grefcoco', replace(row, sources=sources))
        assert main(['grefcoco', '--root', str(tmp_path / 'data')]) == 0
    assert sorted(path.name for path in (tmp_path / 'data/grefcoco').iterdir()) == ['grefs(unc).json', 'instances.json']
    assert 'All is well.' in capsys.readouterr().out
