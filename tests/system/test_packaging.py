"""What a built package holds, and that it works from there: wheel, source archive, editable install."""

import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import mmengine.hub
import pytest
from mmengine.config import Config

import mmris
from mmris.apis import init_model
from mmris.utils import find_config
from tests.conftest import ROOT, run_python, write_set

CONFIG = 'mmris::cm_masksd/vit-tiny_shaperef.py'
THEIRS = ROOT / 'configs/cm_masksd/vit-tiny_shaperef.py'
NOT_OF_THE_TREE = ('.git', '.github', '.gitignore', '.dockerignore', '.ci', '.venv', '.venv-*', '.*_cache',
                   '.hypothesis', '__pycache__', '*.pyc', '*.egg-info', 'build', '_build', 'dist', 'data', 'work_dirs')
PIP = ('-m', 'pip', '--quiet', '--disable-pip-version-check')
BUILD = ('--no-deps', '--no-index', '--no-build-isolation', '--use-pep517')


def snapshot(folder: Path) -> dict:
    """Content of all files by path, without what a build leaves by the habit of setuptools."""
    paths = (path.relative_to(folder) for path in folder.rglob('*') if path.is_file())
    kept = (path for path in paths if path.parts[0] not in ('build', 'mmris.egg-info'))
    return {str(path): (folder / path).read_bytes() for path in kept}


def carried(tree: dict) -> dict:
    """What a wheel carries in `.mim`, by its path in the tree."""
    return {name: content for name, content in tree.items() if name.startswith(('configs/', 'tools/', 'model-index'))}


@pytest.fixture(scope='module')
def built(tmp_path_factory) -> dict:
    """A wheel built in a copy of the tree in which an earlier build left files."""
    folder = tmp_path_factory.mktemp('built')
    tree = folder / 'tree'
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*NOT_OF_THE_TREE), symlinks=True)
    for left in ('mmris/gone.py', 'mmris/.mim/configs/gone.py'):
        path = tree / 'build' / 'lib' / left
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('')
    before = snapshot(tree)
    run_python(*PIP, 'wheel', *BUILD, '--wheel-dir', folder, tree, folder=folder)
    return dict(tree=tree, before=before, wheel=next(folder.glob('mmris-*.whl')))


@pytest.fixture(scope='module')
def installed(built, tmp_path_factory) -> Path:
    """A folder with the wheel installed."""
    folder = tmp_path_factory.mktemp('installed')
    run_python(*PIP, 'install', '--no-deps', '--no-index', '--target', folder, built['wheel'], folder=folder)
    return folder


def test_wheel(built):
    """It holds each module and each file of `.mim` as in the tree, and nothing of an earlier build."""
    wheel = zipfile.ZipFile(built['wheel'])
    content = {name: wheel.read(name) for name in wheel.namelist() if '.dist-info/' not in name}
    modules = {name: data for name, data in built['before'].items() if name.startswith('mmris/')}
    assert content == {**modules, **{f'mmris/.mim/{name}': data for name, data in carried(built['before']).items()}}
    assert len(carried(built['before'])) > 30


def test_the_tree_stays_as_it_was(built):
    assert snapshot(built['tree']) == built['before']


def test_requirements_name_no_stack(built):
    wheel = zipfile.ZipFile(built['wheel'])
    metadata = wheel.read(next(name for name in wheel.namelist() if name.endswith('METADATA'))).decode()
    needed = [line for line in metadata.splitlines() if line.startswith('Requires-Dist') and 'extra ==' not in line]
    assert needed and not any(name in line for line in needed for name in ('mmengine', 'mmcv', 'mmseg', 'mmpretrain'))


def test_source_archive(built, tmp_path):
    """It holds the tree, and the wheel built from it is the same."""
    build = f'from setuptools import build_meta; build_meta.build_sdist({str(tmp_path)!r})'
    run_python('-c', build, folder=built['tree'])
    archive = next(tmp_path.glob('mmris-*.tar.gz'))
    with tarfile.open(archive) as opened:
        names = {name.partition('/')[2] for name in opened.getnames()}
    assert set(built['before']) <= names
    # Unpacked, it works as a checkout does, whose links an archive does not keep.
    assert 'mmris/.mim/configs/cm_masksd/vit-tiny_shaperef.py' in names and 'mmris/.mim/tools/train.py' in names
    run_python(*PIP, 'wheel', *BUILD, '--wheel-dir', tmp_path, archive, folder=tmp_path)
    wheels = [zipfile.ZipFile(path) for path in (built['wheel'], next(tmp_path.glob('mmris-*.whl')))]
    assert sorted(wheels[0].namelist()) == sorted(wheels[1].namelist())
    said = run_python('-m', 'twine', 'check', '--strict', archive, built['wheel'])
    assert said.count('PASSED') == 2


class TestInstalledWheel:
    """Away from the checkout: the working folder is another, and the wheel comes first on the path."""

    def test_configs(self, installed, tmp_path):
        (tmp_path / 'mine.py').write_text(f'_base_ = {CONFIG!r}\ntrain_cfg = dict(max_epochs=2)\n')
        output = run_python(
            '-c',
            f'import mmris, mmengine.hub\nfrom mmengine.config import Config\nprint(mmris.__file__)\n'
            f'print(mmengine.hub.get_config({CONFIG!r}).filename)\nprint(Config.fromfile("mine.py").pretty_text)',
            folder=tmp_path,
            PYTHONPATH=str(installed))
        assert str(installed / 'mmris' / '__init__.py') in output and 'max_epochs=2' in output
        assert str(installed / 'mmris/.mim/configs/cm_masksd/vit-tiny_shaperef.py') in output
        assert f'{ROOT}/mmris' not in output and f'{ROOT}/configs' not in output

    @pytest.mark.slow
    def test_train_and_test(self, installed, tmp_path):
        write_set(tmp_path / 'set')
        data = ('--data-root', 'set', '--cfg-options')
        run_python('-m', 'mmris', 'train', CONFIG, *data, 'train_dataloader.dataset.split=val',
                   'train_dataloader.batch_size=2', 'train_cfg.max_epochs=1', folder=tmp_path,
                   PYTHONPATH=str(installed))
        best = next((tmp_path / 'work_dirs' / 'vit-tiny_shaperef').glob('best_mIoU_*.pth'))
        output = run_python(installed / 'mmris/.mim/tools/test.py', CONFIG, best, '--split', 'val', *data,
                            'val_dataloader.batch_size=2', folder=tmp_path, PYTHONPATH=str(installed))
        assert '| val ' in output and f'{ROOT}/mmris' not in output and f'{ROOT}/configs' not in output

    def test_the_model_of_the_package(self, installed, tmp_path):
        """Without a network it draws masks that mean something, and the lines that it prints run as they are."""
        alone = dict(folder=tmp_path, PYTHONPATH=str(installed), HF_HUB_OFFLINE='1', HF_ENDPOINT='http://127.0.0.1:9')
        output = run_python('-m', 'mmris', 'try', '--number', 3, **alone)
        assert float(re.search(r'3 pictures, mIoU ([0-9.]+)', output)[1]) > 75
        assert (tmp_path / 'work_dirs/try/predictions.png').is_file()
        lines = [line.strip() for line in output.splitlines() if line.startswith('    ')]
        assert len(lines) == 5 and lines[0] == 'from mmris.apis import Predictor'
        output = run_python('-c', '\n'.join([*lines, 'import mmris; print(mmris.__file__)']), **alone)
        assert (tmp_path / 'predictions/scene_1_1_mask.png').is_file() and str(installed) in output

    def test_console_script(self, installed, tmp_path):
        alone = dict(folder=tmp_path, PYTHONPATH=str(installed))
        output = run_python(installed / 'bin' / 'mmris', **alone)
        assert re.search(r'^  train +Train a model\.$', output, re.MULTILINE) and '  make_shaperef ' in output
        assert run_python(installed / 'bin' / 'mmris', '--version', **alone) == f'mmris {mmris.__version__}\n'
        assert output == run_python('-m', 'mmris', **alone)

    def test_tools(self, installed, tmp_path):
        output = run_python('-m', 'mmris', 'tarin', folder=tmp_path, PYTHONPATH=str(installed), fails=True)
        assert "There is no command 'tarin'. Did you mean train" in output
        output = run_python('-m', 'mmris', 'train', 'mmris::cm_masksd/none.py', folder=tmp_path, fails=True,
                            PYTHONPATH=str(installed))
        assert f'There is no config {installed}/mmris/.mim/configs/cm_masksd/none.py' in output


class TestCheckout:
    """Where mmris is imported from a checkout, as in an editable install."""

    def test_base(self, tmp_path):
        (tmp_path / 'mine.py').write_text(f'_base_ = {CONFIG!r}\ntrain_cfg = dict(max_epochs=2)\n')
        config = Config.fromfile(tmp_path / 'mine.py')
        theirs = Config.fromfile(THEIRS)
        assert config.train_cfg.max_epochs == 2 and config.model.neck == theirs.model.neck

    def test_hub(self):
        assert Path(mmengine.hub.get_config(CONFIG).filename).resolve() == THEIRS
        assert type(mmengine.hub.get_model(CONFIG)).__name__ == 'ReferringSegmentor'
        with pytest.raises(FileNotFoundError, match='configs/cm_masksd/none.py" does not exist'):
            mmengine.hub.get_config('mmris::cm_masksd/none.py')

    def test_an_editable_install_away_from_the_checkout(self, tmp_path):
        """The interpreter of the tests finds mmris only by its editable install."""
        output = run_python('-c', f'import mmris, mmengine.hub; print(mmengine.hub.get_config({CONFIG!r}).filename)',
                            folder=tmp_path)
        assert Path(output.splitlines()[-1]).resolve() == THEIRS

    def test_an_editable_install_beside_a_folder_of_its_name(self, tmp_path):
        """Such as the checkout, in the folder that it was cloned to."""
        (tmp_path / 'mmris' / 'docs').mkdir(parents=True)
        output = run_python('-c', 'import mmris; print(mmris.__version__, mmris.__file__)', folder=tmp_path)
        assert output.split()[-1] == str(ROOT / 'mmris' / '__init__.py')

    def test_a_model_by_name(self):
        assert Path(init_model(CONFIG, device='cpu').cfg.filename).resolve() == THEIRS
        with pytest.raises(FileNotFoundError, match='There is no config .*configs/cm_masksd/none.py'):
            init_model('mmris::cm_masksd/none.py')

    def test_names(self):
        assert find_config(CONFIG).resolve() == THEIRS
        assert find_config('folder/mine.py') == Path('folder/mine.py')
        assert find_config('mmseg::fcn/x.py') == Path('mmseg::fcn/x.py')


class TestModelIndex:

    @pytest.fixture
    def models(self) -> list:
        index = Config.fromfile(ROOT / 'model-index.yml')
        files = [Config.fromfile(ROOT / path) for path in index.Import]
        for file in files:
            names = {collection.Name for collection in file.Collections}
            assert all(model['In Collection'] in names for model in file.Models)
            assert all((ROOT / collection.README).is_file() for collection in file.Collections)
        return [model for file in files for model in file.Models]

    def test_every_main_config_is_listed_once(self, models):
        listed = [model.Config for model in models]
        folders = {Path(path).parent for path in listed}
        there = [str(path.relative_to(ROOT)) for folder in folders for path in (ROOT / folder).glob('*.py')]
        assert sorted(listed) == sorted(there)
        methods = {path.parent for path in (ROOT / 'configs').glob('*/README.md')}
        assert methods == {ROOT / folder for folder in folders}

    def test_names_are_unique(self, models):
        assert len({model.Name for model in models}) == len(models)
