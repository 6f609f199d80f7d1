"""Print what makes a shell complete commands, options, names and files.

    mmris completion bash > ~/.local/share/bash-completion/completions/mmris
    mmris completion zsh > ~/.zfunc/_mmris                     # fpath+=~/.zfunc before compinit
    mmris completion fish > ~/.config/fish/completions/mmris.fish

It works in shells that you open from then on. Print it again after an update.
"""

from mmris.command_line import run_command
from mmris.command_line.parser import CommandParser
from mmris.names import SHELLS


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument('shell', choices=SHELLS, help='shell to print it for')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
