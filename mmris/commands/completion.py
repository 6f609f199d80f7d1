"""The work of ``mmris completion``."""

import argparse
from pathlib import Path

import shtab

from mmris.command_line.groups import GROUPS, find_tools, load_tool, summarise
from mmris.command_line.parser import CommandParser
from mmris.utils.arguments import file_or_none

# What may be the name of a file: text that nothing else is known of.
_MAY_BE_FILES = (None, str, Path, file_or_none)


def main(options: argparse.Namespace) -> None:
    print(shtab.complete(all_commands(), options.shell))


def all_commands() -> CommandParser:
    """One parser of all commands, with what each argument is completed with."""
    parser = CommandParser(prog='mmris')
    parser.add_argument('--version', action='store_true', help='the version')
    commands = parser.add_subparsers()
    for name in (name for names in GROUPS.values() for name in names):
        _, _, add_arguments = load_tool(name)
        command = commands.add_parser(name, help=summarise(find_tools()[name]))
        add_arguments(command)
        _set_completions(command)
    return parser


def _set_completions(parser: argparse.ArgumentParser) -> None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                _set_completions(one)
        elif hasattr(action, 'suggested'):
            action.choices = action.suggested
        elif action.choices is None and action.type in _MAY_BE_FILES and _takes_files(action):
            action.complete = shtab.FILE


def _takes_files(action: argparse.Action) -> bool:
    """Whether what an argument takes may be files. Options of many values take names, and after files bash would no
    more complete the next option."""
    return action.nargs is None or (not action.option_strings and action.nargs != 0)
