"""Print a config as it is after inheritance and options, a part of it, or how two differ.

    mmris print_config configs/cm_masksd/vit-b_refcoco.py
    mmris print_config configs/cm_masksd/vit-b_refcoco.py --key model.distillation
    mmris print_config configs/cris/rn50_refcoco.py --key test_dataloader.dataset.pipeline
    mmris print_config configs/cm_masksd/vit-b_refcoco.py --diff \
        configs/cm_masksd/vit-l_refcoco.py
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_config_arguments
from mmris.command_line.parser import CommandParser


def add_arguments(parser: CommandParser) -> None:
    add_config_arguments(parser)
    parser.add_argument('--key', help='this part alone, such as model.distillation or test_dataloader.dataset.pipeline')
    parser.add_argument('--diff', metavar='CONFIG', help='what differs in this one, which options do not change')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
