"""``mmris``: its commands by groups, how they are named, what each imports before its arguments are read."""

import json
import re
from types import SimpleNamespace
from typing import Dict

import pytest

import mmris
from mmris import utils
from mmris.command_line import main, running
from mmris.command_line.groups import GROUPS, find_tools
from tests.conftest import ROOT, run_python

HEAVY = ('torch', 'numpy', 'mmengine', 'mmcv', 'mmseg', 'open_clip', 'transformers', 'timm', 'matplotlib',
         'pycocotools', 'cv2', 'PIL', 'huggingface_hub')
# Prints, for each line of arguments, its exit status and which heavy packages are there after it.
PROBE = f"""
import contextlib, io, json, sys
from mmris.command_line.main import start
found = {{}}
for line in json.loads(sys.argv[1]):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            status = start(line)
        except SystemExit as ended:
            status = ended.code
    found[' '.join(line)] = dict(status=status, said=said.getvalue(),
                                 heavy=[name for name in {HEAVY!r} if name in sys.modules])
print(json.dumps(found))
"""


@pytest.fixture(scope='module')
def probed() -> Dict[str, dict]:
    """What came of each command's help and of a wrong option, one after the other in one process."""
    lines = [['--help'], ['--version'], ['nonsense']]
    lines += [[name, *end] for name in find_tools() for end in (['--help'], ['--no-such-option'])]
    return json.loads(run_python('-c', PROBE, json.dumps(lines)))


@pytest.mark.parametrize('name', ['', *find_tools()])
def test_arguments_are_read_before_anything_heavy_is_imported(probed, name):
    answer = probed[f'{name} --help'.strip()]
    assert answer['status'] == 0 and not answer['heavy']
    assert f'usage: mmris {name}' in answer['said']
    if name:
        wrong = probed[f'{name} --no-such-option']
        assert wrong['status'] == 2 and not wrong['heavy'] and f'usage: mmris {name}' in wrong['said']


def test_each_command_is_in_one_group_and_has_one_line(probed):
    listed = [name for names in GROUPS.values() for name in names]
    assert sorted(listed) == sorted(find_tools())
    lines = probed['--help']['said'].splitlines()
    for name in listed:
        [line] = [line for line in lines if line.split()[:1] == [name]]
        assert line.endswith('.') and len(line) <= 120


def test_the_page_lists_the_groups():
    listed, group = {}, ''
    for line in (ROOT / 'docs/command_line.md').read_text().splitlines():
        cells = line.strip('|').split('|')
        if len(cells) == 3 and '`' in cells[1]:
            group = cells[0].strip() or group
            listed.setdefault(group, []).extend(re.findall('`([a-z_]+)`', cells[1]))
    assert {name: sorted(commands) for name, commands in listed.items()} == {
        name: sorted(commands) for name, commands in GROUPS.items()}


def test_version(probed):
    assert probed['--version'] == dict(status=0, said=f'mmris {mmris.__version__}\n', heavy=[])


@pytest.mark.parametrize('given, said', [
    ('tarin', "There is no command 'tarin'. Did you mean train"),
    ('print-confg', "There is no command 'print-confg'. Did you mean print_config? `mmris --help` lists"),
    ('--halp', "There is no option '--halp'. `mmris --help` lists all commands."),
])
def test_an_unknown_command(capsys, given, said):
    assert main.start(given.split()) == 2
    printed = capsys.readouterr()
    assert said in printed.err and not printed.out


@pytest.mark.parametrize('given', ['print_config', 'print-config', 'print config'])
def test_spellings_of_a_command(capsys, given):
    with pytest.raises(SystemExit) as ended:
        main.start([*given.split(), '--help'])
    assert ended.value.code == 0 and 'usage: mmris print_config' in capsys.readouterr().out


@pytest.mark.parametrize('given, read', [
    ('predict --model NAME a.jpg one two', dict(config='NAME', image='a.jpg', sentences=['one', 'two'])),
    ('predict a.jpg one --model=NAME', dict(config='NAME', checkpoint=None, image='a.jpg', sentences=['one'])),
    ('predict c.py c.pth a.jpg one', dict(config='c.py', checkpoint='c.pth', image='a.jpg', sentences=['one'])),
    ('attention_maps c.py none a.jpg -- --model', dict(config='c.py', checkpoint=None, sentences=['--model'])),
    ('test --model NAME --split val', dict(config='NAME', checkpoint=None, split=['val'])),
    ('test c.py', dict(config='c.py', checkpoint=None)),
    ('test c.py c.pth', dict(config='c.py', checkpoint='c.pth')),
    ('draw_predictions --model NAME', dict(config='NAME', checkpoint=None)),
    ('error_report rows --model NAME', dict(rows='rows', config='NAME', checkpoint=None)),
    ('error_report rows --config c.py --checkpoint c.pth', dict(rows='rows', config='c.py', checkpoint='c.pth')),
    ('train c.py --cfg-options a=1 b=2 --cfg-options c=[1,2]', dict(cfg_options=['a=1', 'b=2', 'c=[1,2]'])),
])
def test_a_model_by_name_or_by_files(monkeypatch, given, read):
    seen = []
    monkeypatch.setattr(running, 'import_module', lambda name: SimpleNamespace(main=seen.append))
    main.start(given.split())
    assert {name: getattr(seen[0], name) for name in read} == read


@pytest.mark.parametrize('given, said', [
    ('predict --model NAME a.jpg', 'the following arguments are required: SENTENCE'),
    ('predict a.jpg one', 'the following arguments are required: IMAGE, SENTENCE'),
    ('error_report rows --model NAME --config c.py', 'argument --config: not allowed with argument --model'),
    ('train c.py --see 1', 'unrecognized arguments: --see 1'),
    ('train c.py --cfg-options a', 'KEY=VALUE is needed, but got a'),
])
def test_wrong_arguments(capsys, given, said):
    with pytest.raises(SystemExit) as ended:
        main.start(given.split())
    assert ended.value.code == 2 and said in capsys.readouterr().err


def test_commands_that_need_no_stack(monkeypatch, capsys):
    def fail():
        raise ImportError('no stack')

    monkeypatch.setattr(running, 'check_stack', fail)
    assert main.start(['models', 'evf-sam']) == 0 and 'trained on:' in capsys.readouterr().out
    with pytest.raises(ImportError, match='no stack'):
        main.start(['train', 'none.py'])


@pytest.mark.parametrize('code', [
    'import mmris; mmris.list_models()',
    'import mmris.zoo; mmris.zoo.find_model("evf-sam")',
    'import mmris.utils; from mmris.utils import find_config',
])
def test_light_imports(code):
    check = f'{code}\nimport sys\nprint([name for name in {HEAVY!r} if name in sys.modules])'
    assert run_python('-c', check) == '[]\n'


@pytest.mark.parametrize('order', [['import mmris', 'import mmengine'], ['import mmengine', 'import mmris']])
def test_what_registries_and_configs_need_comes_with_the_import(order):
    """Whichever is first, MMEngine finds types of the scope, and configs by their names."""
    code = [
        *order,
        'from mmengine.registry import MODELS, init_default_scope',
        'from mmengine.hub import get_config',
        'print(get_config("mmris::cm_masksd/vit-tiny_shaperef.py").default_scope)',
        'print(type(MODELS.build(dict(type="mmris.CosineHead"))).__name__)',
        'init_default_scope("mmris")',
        'print(type(MODELS.build(dict(type="CosineHead"))).__name__)',
        'import sys; print(any(type(one).__module__.startswith("mmris") for one in sys.meta_path))',
    ]
    assert run_python('-c', '\n'.join(code)).splitlines()[-4:] == ['mmris', 'CosineHead', 'CosineHead', 'False']


def test_names_of_utils():
    """They are imported when they are asked for, and no other names are there."""
    assert all(getattr(utils, name).__name__ == name for name in utils.__all__)
    with pytest.raises(ImportError, match="cannot import name 'nothing' from 'mmris.utils'"):
        exec('from mmris.utils import nothing')
