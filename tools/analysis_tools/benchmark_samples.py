"""Measure what a sample of a pipeline costs, over decoding and resizing its file.

    mmris benchmark_samples configs/cm_masksd/vit-b_refcoco.py

On random images of COCO's size and outlines of COCO's length, or on a set that --data-root names. One thread, whose
processor time is measured, of both in turns: what else the machine does hardly touches the ratio.
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_config_arguments
from mmris.command_line.parser import CommandParser
from mmris.utils.arguments import at_least


def add_arguments(parser: CommandParser) -> None:
    add_config_arguments(parser)
    parser.add_argument('--loader', choices=['train', 'val', 'test'], default='train', help='whose pipeline to use')
    parser.add_argument('--split', help='split (default: the loader\'s; of the random set, all is train)')
    parser.add_argument('--samples', type=at_least(1), default=40, help='how many samples (default: %(default)s)')
    parser.add_argument('--repetitions', type=at_least(1), default=15, help='how often each (default: %(default)s)')
    parser.add_argument('--out', help='JSON file to write the numbers to')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
