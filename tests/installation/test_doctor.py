"""What ``mmris doctor`` says of installations that are broken in one way each, and of this one."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmris.installation import Section, format_sections, packages
from mmris.installation.caches import examine_caches, hub_folder
from mmris.installation.devices import Driver, examine_devices, find_driver
from mmris.installation.environment import examine_environment
from mmris.installation.imports import import_packages
from tests.conftest import ROOT

NVIDIA = Driver(('NVIDIA H100', ), '535.104', '12.2')


def install(folder: Path, name: str, version: str) -> None:
    """Write what pip leaves of a distribution, without any module."""
    (folder / f'{name}-{version}.dist-info').mkdir()
    (folder / f'{name}-{version}.dist-info' / 'METADATA').write_text(f'Name: {name}\nVersion: {version}\n')


def only_problem(section: Section) -> tuple:
    [problem] = section.problems
    return problem.what, problem.remedy


class TestWithoutPackages:

    @pytest.fixture(scope='class')
    def report(self, tmp_path_factory) -> dict:
        folder = tmp_path_factory.mktemp('nothing')
        (folder / 'mmris').symlink_to(ROOT / 'mmris')
        done = subprocess.run([sys.executable, '-S', '-E', '-m', 'mmris', 'doctor', '--json'], cwd=folder,
                              capture_output=True, text=True)
        assert done.returncode == 1 and not done.stderr
        return {section['title']: section for section in json.loads(done.stdout)['sections']}

    def test_every_missing_package_is_named_with_the_command(self, report):
        problems = report['Packages']['problems']
        assert [one['what'] for one in problems] == [f'{name} is not installed.' for name in packages.NEEDED]
        assert all(one['remedy'] == 'Install it: `pip install "mmris[maintained]"`.' for one in problems)

    def test_the_stack(self, report):
        [problem] = report['OpenMMLab stack']['problems']
        assert problem['what'].startswith('mmris needs an OpenMMLab stack, and does not find onedl-mmengine')
        assert problem['remedy'].startswith('Install the maintained stack: `pip install onedl-mmengine==')

    def test_all_else_is_looked_at_all_the_same(self, report):
        assert report['Devices']['facts']['GPU'] == 'not known, since torch cannot be imported'
        assert report['Caches']['facts'] and not report['Caches']['problems']
        assert not report['For some uses']['problems'] and not report['Fonts of pictures']['problems']


def test_two_stacks(tmp_path, monkeypatch):
    install(tmp_path, 'mmcv', '2.1.0')
    monkeypatch.syspath_prepend(tmp_path)
    section = packages.examine_stack({})
    what, remedy = only_problem(section)
    assert section.facts['kind'] == 'maintained and original' and section.facts['mmcv'] == '2.1.0'
    assert 'two OpenMMLab stacks that overwrite each other' in what and 'pip uninstall onedl-mmengine' in remedy


def test_a_version_that_does_not_fit(tmp_path, monkeypatch):
    install(tmp_path, 'timm', '0.9.2')
    monkeypatch.syspath_prepend(tmp_path)
    assert only_problem(packages.examine_versions({})) == (
        'timm 0.9.2 does not fit: mmris needs timm>=1.0.16.', 'Install another version: `pip install "timm>=1.0.16"`.')


def test_another_distribution_of_the_same_module(monkeypatch):
    def version(name):
        if name != 'opencv-python-headless':
            raise metadata.PackageNotFoundError(name)
        return '4.12.0'

    monkeypatch.setattr(metadata, 'version', version)
    section = packages.examine_versions({})
    assert section.facts['opencv-python'] == '4.12.0' and section.facts['torch'] == 'missing'


@pytest.mark.parametrize('examine, module, name', [
    (packages.examine_versions, 'torchvision', 'torchvision'),
    (packages.examine_stack, 'mmcv', 'onedl-mmcv'),
    (packages.examine_optional, 'pyarrow', 'pyarrow'),
])
def test_a_package_that_cannot_be_imported(examine, module, name):
    section = examine({module: 'ImportError: libcudart.so.13: no such file'})
    what, remedy = only_problem(section)
    assert what == f'{name} is installed, but `import {module}` fails: ImportError: libcudart.so.13: no such file'
    assert remedy.startswith('Install it again: `pip install ') and section.facts[name].endswith('cannot be imported')


class TestImports:

    @pytest.fixture(autouse=True)
    def modules(self, tmp_path, monkeypatch):
        contents = dict(
            fine='print("noise")', broken='import nothing_at_all', crashing='import os; os.abort()',
            hanging='import time; time.sleep(60)', leaving='raise SystemExit(3)')
        for name, content in contents.items():
            (tmp_path / f'{name}.py').write_text(content)
        monkeypatch.setenv('PYTHONPATH', str(tmp_path))

    def test_what_each_says(self):
        found = import_packages(['fine', 'broken', 'leaving', 'crashing', 'fine'])
        assert found['errors'] == dict(
            fine=None, broken="ModuleNotFoundError: No module named 'nothing_at_all'", leaving='SystemExit: 3',
            crashing='it ends the interpreter (exit status -6)')
        assert found['cuda'] is found['fonts'] is None

    def test_one_that_hangs(self):
        assert import_packages(['fine', 'hanging'], timeout=3)['errors'] == dict(
            fine=None, hanging='it takes more than 3 seconds')


@pytest.mark.parametrize('build, available, driver, what, remedy', [
    ('13.0', False, None, None, None),
    ('12.4', True, NVIDIA, None, None),
    (None, False, NVIDIA, 'torch is built without CUDA and does not use NVIDIA H100.', 'Install a build with CUDA: h'),
    ('13.0', False, NVIDIA, 'torch is built for CUDA 13.0 and does not use NVIDIA H100, whose driver 535.104 runs CUDA '
     '12.2 at most.', 'Update the driver, or install torch for CUDA 12.2: http'),
    ('12.4', False, NVIDIA, 'torch does not see NVIDIA H100, though the driver does.', 'Read what `python -c'),
])
def test_devices(monkeypatch, build, available, driver, what, remedy):
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    gpus = [dict(name='NVIDIA H100', memory=80 * 2**30)] if available else []
    section = examine_devices(dict(build=build, available=available, threads=2, gpus=gpus), driver)
    if what is None:
        assert not section.problems
        assert section.facts.get('GPU 0') == ('NVIDIA H100, 80.0 GiB' if available else None)
    else:
        assert only_problem(section)[0] == what and only_problem(section)[1].startswith(remedy)


def test_the_driver(tmp_path, monkeypatch):
    program = tmp_path / 'nvidia-smi'
    monkeypatch.setenv('PATH', str(tmp_path))
    assert find_driver() is None
    program.write_text('#!/bin/sh\nif [ $# -gt 0 ]; then echo "NVIDIA H100, 535.104"; echo "NVIDIA H100, 535.104"\n'
                       'else echo "| NVIDIA-SMI 535.104    Driver Version: 535.104    CUDA Version: 12.2 |"; fi\n')
    program.chmod(0o755)
    assert find_driver() == Driver(('NVIDIA H100', 'NVIDIA H100'), '535.104', '12.2')
    program.write_text('#!/bin/sh\necho "NVIDIA-SMI has failed, because it could not reach the driver"; exit 9\n')
    assert find_driver() is None


def test_hidden_gpus_are_not_wrong(monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    section = examine_devices(dict(build='12.4', available=False, threads=2, gpus=[]), NVIDIA)
    assert not section.problems and section.facts['GPU'] == 'NVIDIA H100: hidden by CUDA_VISIBLE_DEVICES'


class TestCaches:

    @pytest.fixture(autouse=True)
    def folders(self, tmp_path, monkeypatch):
        for name in ('HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE'):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv('HF_HOME', str(tmp_path / 'hub_home'))
        monkeypatch.setenv('MMRIS_CACHE', str(tmp_path / 'own'))

    def test_sizes(self, tmp_path):
        (tmp_path / 'own').mkdir()
        (tmp_path / 'own' / 'weights.pth').write_bytes(bytes(2_500_000))
        os.symlink(tmp_path / 'own' / 'weights.pth', tmp_path / 'own' / 'link')
        section = examine_caches()
        assert not section.problems and f'{tmp_path}/own: 2.5 MB, ' in section.facts['files put by hand']
        assert f'{tmp_path}/hub_home/hub: not made yet, ' in section.facts['Hugging Face hub']

    def test_one_that_cannot_be_made(self, tmp_path, monkeypatch):
        (tmp_path / 'file').touch()
        monkeypatch.setenv('HF_HOME', str(tmp_path / 'file'))
        assert only_problem(examine_caches()) == (
            f'The cache {tmp_path}/file/hub cannot be made: {tmp_path}/file is a file, no folder.',
            'Let HF_HOME name another folder.')

    def test_one_that_cannot_be_written(self, tmp_path, monkeypatch):
        (tmp_path / 'own').mkdir()
        monkeypatch.setattr(os, 'access', lambda path, mode: Path(path) != tmp_path / 'own')
        what, remedy = only_problem(examine_caches())
        assert f'{tmp_path}/own cannot be written' in what and 'Let MMRIS_CACHE name another folder.' in remedy

    def test_a_full_disk(self, monkeypatch):
        monkeypatch.setattr(shutil, 'disk_usage', lambda path: SimpleNamespace(free=300_000_000))
        assert [problem.what.partition(': ')[2] for problem in examine_caches().problems] == ['300.0 MB are free.'] * 2

    @pytest.mark.parametrize('variables', [
        {}, dict(HF_HUB_CACHE='/a/b'), dict(HF_HOME=''), dict(HF_HOME=None, XDG_CACHE_HOME='/d'),
        dict(HF_HUB_CACHE='~/e', HUGGINGFACE_HUB_CACHE='/f'), dict(HUGGINGFACE_HUB_CACHE='/g')])
    def test_the_hub_uses_the_same_folder(self, monkeypatch, variables):
        """As its client says, which reads the variables when it is imported."""
        for name, value in variables.items():
            monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
        code = 'from huggingface_hub import constants; print(constants.HF_HUB_CACHE)'
        theirs = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout.strip()
        assert str(hub_folder()) == theirs


def test_variables(monkeypatch):
    monkeypatch.setenv('HF_TOKEN', 'hf_secret')
    monkeypatch.setenv('OMP_NUM_THREADS', 'all')
    section = examine_environment()
    assert section.facts['HF_TOKEN'].startswith('set (') and 'secret' not in format_sections([section])
    assert only_problem(section) == ("OMP_NUM_THREADS is 'all', but a number of threads from 1 on is expected.",
                                     'Unset it, or set a number: `export OMP_NUM_THREADS=4`.')


def test_what_is_wrong_stands_last():
    fine, wrong = Section('Fine', dict(a='1')), Section('Wrong', dict(long='2'))
    wrong.blame('It is broken.', 'Mend it.')
    assert format_sections([fine, wrong]) == (
        'Fine\n  a     1\n\nWrong\n  long  2\n\nOne thing is wrong:\n1. It is broken.\n   Mend it.')
    assert format_sections([fine]).endswith('\nNothing is wrong.')


def test_what_is_needed_is_what_is_required():
    lines = [*(ROOT / 'requirements/runtime.txt').read_text().splitlines(), 'torch', 'torchvision']
    required = {re.match(r'[\w-]+', line)[0] for line in lines if line and not line.startswith('#')}
    assert set(packages.NEEDED) == required


def test_extras_of_commands_are_there():
    commands = [packages.INSTALL_ALL, *(command for _, _, command in packages.OPTIONAL.values())]
    there = re.findall(r'^        (\w+)=', (ROOT / 'setup.py').read_text().partition('extras_require')[2], re.MULTILINE)
    extras = {extra for command in commands for found in re.findall(r'mmris\[(.+?)\]', command)
              for extra in found.split(',')}
    assert 'maintained' in extras and extras <= set(there)


@pytest.mark.slow
def test_the_environment_of_the_tests_is_fine():
    done = subprocess.run([sys.executable, '-m', 'mmris', 'doctor'], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and done.stdout.endswith('Nothing is wrong.\n'), done.stdout
    assert 'kind                            maintained' in done.stdout
