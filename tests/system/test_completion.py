"""What a shell completes."""

import shutil
import subprocess
from typing import List

import pytest

from mmris import list_models
from mmris.command_line.groups import find_tools
from mmris.names import FORM_TITLES, SHELLS
from tests.conftest import run_command

# Calls what `complete` has for mmris as bash does when somebody presses the tabulator.
PRESS = """
source "$1"; shift
definition=$(complete -p mmris)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
function=${definition##*-F }; function=${function%% *}
compopt() { :; }
$function mmris "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def complete(capsys, tmp_path):
    run_command('completion', 'bash')
    script = tmp_path / 'mmris.bash'
    script.write_text(capsys.readouterr().out)

    def press(*words: str) -> List[str]:
        done = subprocess.run(['bash', '-c', PRESS, 'bash', script, 'mmris', *words], cwd=tmp_path, check=True,
                              capture_output=True, text=True)
        assert not done.stderr
        return sorted(done.stdout.split())

    return press


def test_bash(complete, tmp_path):
    (tmp_path / 'photo.jpg').touch()
    (tmp_path / 'pictures').mkdir()
    assert complete('') == sorted(find_tools())
    assert complete('tr') == ['train', 'train_stages', 'try']
    assert complete('predict', '--thr') == ['--threshold']
    assert {'--cfg-options', '--resume', '--launcher'} <= set(complete('train', '--'))
    assert complete('test', 'config.py', '--split', 'val', '--o') == ['--out']
    assert complete('predict', '--dtype', 'b') == ['bfloat16']
    assert complete('predict', '--model', 'cm-') == ['cm-masksd-shaperef']
    assert complete('models', '--check', 'clip-rn') == list_models('clip-rn*')
    assert complete('convert_dataset', 'refcoco') == [form for form in FORM_TITLES if form.startswith('refcoco')]
    assert complete('convert_weights', 'evf_sam', '--to', 'evf') == ['evf_sam', 'evf_sam2']
    assert complete('test', 'config.py', 'p') == complete('predict', '--masks', 'p') == ['photo.jpg', 'pictures']


@pytest.mark.parametrize('shell', SHELLS)
def test_scripts(capsys, tmp_path, shell):
    """All commands and options are in each script; a shell that is there takes its own."""
    run_command('completion', shell)
    script = capsys.readouterr().out
    assert all(name in script for name in find_tools()) and 'existence-threshold' in script
    if shutil.which(shell) is not None:
        (tmp_path / 'script').write_text(script)
        subprocess.run([shell, '-n', tmp_path / 'script'], check=True)
