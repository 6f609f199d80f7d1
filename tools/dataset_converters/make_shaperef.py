"""Generate ShapeRef, a synthetic referring segmentation set in the files of RefCOCO.

Example:
    mmris make_shaperef --out data/shaperef --style refcoco
"""

import argparse

from mmris.command_line import run_command
from mmris.command_line.parser import CommandParser
from mmris.names import SHAPEREF_STYLES


def add_arguments(parser: CommandParser) -> None:
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument('--out', default='data/shaperef', help='folder to write')
    parser.add_argument(
        '--style', default='refcoco', choices=SHAPEREF_STYLES,
        help='refcoco: words with place; refcoco+: appearance only; refcocog: longer relations')
    parser.add_argument('--seed', type=int, default=0, help='seed of all pictures and sentences')
    parser.add_argument('--train', type=int, default=6000, help='images of split train')
    parser.add_argument('--val', type=int, default=500, help='images of split val')
    parser.add_argument(
        '--testA', type=int, default=250,
        help='images of split testA (2 or 3 objects); of split test for style refcocog')
    parser.add_argument(
        '--testB', type=int, default=250,
        help='images of split testB (4 or 5 objects); style refcocog has no such split')
    parser.add_argument(
        '--no-target-share', type=float, default=0., metavar='SHARE',
        help='share of the refs that fit nothing: near misses ("red circle" where there are a red square and a blue '
        'circle) and absent things, half each')
    parser.add_argument(
        '--several-share', type=float, default=0., metavar='SHARE',
        help='share of the refs that fit several objects ("both squares")')
    parser.add_argument(
        '--processes', type=int, help='worker processes; None: one per usable CPU')
    parser.add_argument(
        '--overwrite', action='store_true', help='replace a ShapeRef that is in the folder')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
