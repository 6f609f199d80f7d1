"""``mmris COMMAND``: which command is meant."""

import difflib
import sys
from typing import List, Optional

from mmris.utils.tool import USER_ERROR, run_tool
from mmris.version import __version__

from .groups import describe_groups, find_command, find_tools, load_tool
from .running import do_command

_USAGE = 'usage: mmris COMMAND [arguments of the command]'
_END = """mmris COMMAND --help  the arguments of a command (its name may have - or a space in place of _)
mmris --version       the version

Exit status: 0 done; 1 done, and what was checked is not as it should be; 2 wrong arguments, files or settings;
130 interrupted; 143 ended by SIGTERM, though `mmris train` then saves and ends with 0. A fault of the program ends with
a traceback and status 1."""


def main() -> None:
    """Run the command that the command line names: the console script ``mmris``, and ``python -m mmris``."""
    run_tool(lambda: start(sys.argv[1:]))


def start(arguments: List[str]) -> Optional[int]:
    """Run a command.

    Args:
        arguments (list[str]): What was typed after ``mmris``.

    Returns:
        int, optional: The exit status; None stands for 0.
    """
    given, *rest = arguments or ['--help']
    if given in ('-h', '--help'):
        print(f'{_USAGE}\n\n{describe_groups()}\n\n{_END}')
        return 0
    if given == '--version':
        print(f'mmris {__version__}')
        return 0
    name = find_command(given)
    if name is None and rest and find_command(f'{given}_{rest[0]}'):
        name, rest = find_command(f'{given}_{rest[0]}'), rest[1:]
    if name is None:
        sys.stderr.write(f'{_explain_unknown(given)}\n')
        return USER_ERROR
    return do_command(*load_tool(name), rest, prog=f'mmris {name}')


def _explain_unknown(given: str) -> str:
    """Say that there is no such command, and which ones are near."""
    what = 'option' if given.startswith('-') else 'command'
    close = difflib.get_close_matches(given.replace('-', '_'), find_tools(), n=3, cutoff=0.5)
    hint = f' Did you mean {" or ".join(close)}?' if close and what == 'command' else ''
    return f'There is no {what} {given!r}.{hint} `mmris --help` lists all commands.'
