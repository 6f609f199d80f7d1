"""Which packages mmris depends on, who asks for them, and what their licences are called."""

import json
import os
import subprocess
import sys
from email.message import Message

import pytest

from mmris.installation.licence_terms import kind_of, licence_of
from mmris.installation.licences import format_licences, licences_as_json, list_licences
from tests.conftest import ROOT, run_command


def stated(*classifiers: str, **fields: str) -> Message:
    message = Message()
    for name, value in fields.items():
        message[name.replace('_', '-')] = value
    for one in classifiers:
        message['Classifier'] = one
    return message


MIT = 'License :: OSI Approved :: MIT License'


@pytest.mark.parametrize('message, licence', [
    (stated(MIT, License_Expression='MIT OR Apache-2.0', License='MIT'), 'MIT OR Apache-2.0'),
    (stated(MIT, License='MPL-2.0'), 'MPL-2.0'),
    (stated(MIT, 'Topic :: Software', License='UNKNOWN'), 'MIT License'),
    (stated(MIT, 'License :: OSI Approved :: Apache Software License'), 'MIT License, Apache Software License'),
    (stated('License :: OSI Approved', License=''), None),
    (stated(License='Copyright 2025 Somebody.\n\n   Apache License\n   Version 2.0\n' + 'x' * 900), 'Apache License'),
    (stated(MIT, License='Copyright 2015 Somebody.\nAll rights reserved.'), 'MIT License'),
    (stated(License='Copyright 2015 Somebody.\nAll rights reserved.'), None),
    (stated(), None),
])
def test_what_is_stated(message, licence):
    assert licence_of(message) == licence


@pytest.mark.parametrize('licence, kind', [
    ('MIT', None), ('Apache-2.0', None), ('', None), ('BSD-3-Clause AND 0BSD AND Zlib', None),
    ('GPL-3.0-or-later', 'copyleft'), ('GPLv2+', 'copyleft'), ('AGPL-3.0-only', 'copyleft'),
    ('GNU General Public License v3 (GPLv3)', 'copyleft'), ('MIT License, GNU General Public License', 'copyleft'),
    ('LGPL-2.1-or-later', 'weak copyleft'), ('MPL-2.0', 'weak copyleft'), ('EPL-2.0', 'weak copyleft'),
    ('Mozilla Public License 2.0 (MPL 2.0)', 'weak copyleft'),
    ('GNU Lesser General Public License v3 (LGPLv3)', 'weak copyleft'),
    ('MPL-2.0 AND (Apache-2.0 OR MIT)', 'weak copyleft'), ('Apache-2.0 AND (GPL-2.0 OR MIT)', None),
    ('GPL-2.0 OR MIT', None), ('GPL-2.0 OR MPL-2.0', 'weak copyleft'), ('MIT AND GPL-2.0 OR BSD-2-Clause', None),
    ('(MIT OR GPL-2.0) AND LGPL-2.1', 'weak copyleft'), ('LicenseRef-NVIDIA-Proprietary', 'proprietary'),
])
def test_kinds(licence, kind):
    assert kind_of(licence) == kind


PACKAGES = dict(
    mmris=('Apache-2.0', ['needed>=1', 'Deep.Extra[fast,more]; extra == "web"', 'missing', 'both; extra == "web"',
                          'both; extra == "tests"', 'other; extra == "all"', 'mmris[web]; extra == "all"'],
           ['web', 'tests', 'all']),
    needed=('MIT', ['below (>=2) ; python_version > "2"', 'circle', 'optional; extra == "plot"'], ['plot']),
    below=('GPL-3.0', [], []),
    circle=(None, ['needed'], []),
    deep_extra=('BSD', ['quick; extra == "fast"', 'slow; extra == "slow"', 'plain; platform_system != "x" and '
                        'extra == \'more\''], ['fast', 'slow', 'more']),
    quick=('MIT', [], []), slow=('MIT', [], []), plain=('MIT', [], []), both=('MPL-2.0', ['needed'], []),
    optional=('MIT', [], []), other=('MIT', [], []), stranger=('MIT', [], []),
)


@pytest.fixture
def listed(tmp_path):
    """What is listed where these packages alone are installed."""
    for name, (licence, requirements, extras) in PACKAGES.items():
        folder = tmp_path / f'{name}-1.0.dist-info'
        folder.mkdir()
        lines = [f'Name: {name}', 'Version: 1.0', *([f'License-Expression: {licence}'] if licence else []),
                 *(f'Requires-Dist: {one}' for one in requirements), *(f'Provides-Extra: {one}' for one in extras)]
        (folder / 'METADATA').write_text('\n'.join(lines) + '\n')
    (tmp_path / 'mmris').symlink_to(ROOT / 'mmris')

    def run(*options: str) -> str:
        return subprocess.run([sys.executable, '-S', '-E', '-m', 'mmris', 'doctor', '--licences', *options],
                              cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    return run


def test_who_asks_for_what(listed):
    """Through others, in circles, and by extras of extras; also where nothing can be imported."""
    packages = {one['name']: one for one in json.loads(listed('--json'))['packages']}
    assert {name: one['asked_by'] for name, one in packages.items()} == dict(
        needed=['always'], below=['always'], circle=['always'], deep_extra=['web'], quick=['web'], plain=['web'],
        both=['tests', 'web'])
    assert packages['below'] == dict(
        name='below', version='1.0', licence='GPL-3.0', kind='copyleft', asked_by=['always'])
    assert packages['circle']['licence'] is None and packages['both']['kind'] == 'weak copyleft'


def test_the_table(listed):
    lines = listed().splitlines()
    assert lines[0].split() == ['package', 'version', 'licence', 'kind', 'asked', 'for', 'by']
    assert lines[1].split() == ['below', '1.0', 'GPL-3.0', 'copyleft', 'always']
    assert lines[3].split() == ['circle', '1.0', 'not', 'stated', 'always']
    assert lines[-4:] == ['7 packages', 'copyleft: below', 'weak copyleft: both',
                          'not stated by the package, look at its home page: circle']


def test_of_this_environment():
    found = {one.name: one for one in list_licences()}
    assert found['torch'].asked_by == ['always'] and found['numpy'].licence.startswith('BSD')
    assert found['gradio'].asked_by == ['tests', 'web'] and found['onedl-mmengine'].asked_by == ['maintained']
    assert 'mmris' not in found and 'pip' not in found
    assert not [name for name, one in found.items() if one.kind == 'copyleft']
    assert len(json.loads(licences_as_json(list(found.values())))['packages']) == len(found)
    assert format_licences(list(found.values())).startswith('package')


def test_the_command(capsys):
    assert run_command('doctor', '--licences') == 0
    assert 'packages\n' in capsys.readouterr().out


def test_a_folder_that_is_not_installed(tmp_path):
    (tmp_path / 'mmris').symlink_to(ROOT / 'mmris')
    done = subprocess.run([sys.executable, '-S', '-E', '-m', 'mmris', 'doctor', '--licences'], cwd=tmp_path,
                          capture_output=True, text=True,
                          env={name: value for name, value in os.environ.items() if name != 'MMRIS_DEBUG'})
    assert done.returncode == 2 and done.stdout == ''
    assert done.stderr == ('mmris runs from a folder that is not installed, so that its dependencies are not known. '
                           'Install it: `pip install -e .` in a checkout.\n')
