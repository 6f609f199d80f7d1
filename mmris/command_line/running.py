"""How a command is run: arguments first, then the imports of its work."""

import sys
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import Callable, Optional, Sequence

from mmris.stack import check_stack
from mmris.utils.cpus import wait_shortly
from mmris.utils.tool import run_tool

from .parser import CommandParser

# These look at the installation itself, or need only Python.
_WITHOUT_STACK = ('completion', 'doctor', 'models')


def make_parser(path: str, documentation: str, add_arguments: Callable[[CommandParser], None], *,
                prog: Optional[str] = None, by_name: bool = False) -> CommandParser:
    """Make the parser of a command.

    Args:
        path (str): The command's file in ``tools``.
        documentation (str): Its docstring, whose first paragraph says what the command does.
        add_arguments (Callable): Gets the parser, and adds the command's arguments.
        prog (str, optional): What the command is called in its usage. Default: None, by its file.
        by_name (bool): Whether the model is given as ``--model NAME`` (see :class:`CommandParser`). Default: False.

    Returns:
        CommandParser: The parser.
    """
    parser = CommandParser(
        prog=prog or Path(path).name, description=' '.join(documentation.partition('\n\n')[0].split()),
        by_name=by_name)
    add_arguments(parser)
    return parser


def run_command(path: str, documentation: str, add_arguments: Callable[[CommandParser], None]) -> None:
    """Run a command as a program: its file in ``tools`` is to be started by this.

    Args:
        path, documentation, add_arguments: See :func:`make_parser`.

    Raises:
        SystemExit, Exception: See :func:`mmris.utils.tool.run_tool`.
    """
    run_tool(lambda: do_command(path, documentation, add_arguments, sys.argv[1:]))


def do_command(path: str, documentation: str, add_arguments: Callable[[CommandParser], None], given: Sequence[str],
               prog: Optional[str] = None) -> Optional[int]:
    """Read the arguments of a command, and do its work: ``main`` of the module of its name in ``mmris.commands``.

    Args:
        path, documentation, add_arguments, prog: See :func:`make_parser`.
        given (Sequence[str]): What was typed after the command.

    Returns:
        int, optional: The exit status; None stands for 0.

    Raises:
        SystemExit: If the arguments are wrong (status 2), or ask for help.
        ImportError: If the command needs the OpenMMLab stack, and :func:`~mmris.stack.check_stack` finds it wrong.
    """
    options = make_parser(path, documentation, add_arguments, prog=prog, by_name=_names_model(given)).read(given)
    name = Path(path).stem
    wait_shortly()
    if name not in _WITHOUT_STACK:
        check_stack()
    # A module cannot be imported by a word of Python's, such as `try`.
    return import_module(f'mmris.commands.{name}{"_" * iskeyword(name)}').main(options)


def _names_model(given: Sequence[str]) -> bool:
    """Whether ``--model`` is among arguments."""
    options = given[:given.index('--')] if '--' in given else given
    return any(one == '--model' or one.startswith('--model=') for one in options)
