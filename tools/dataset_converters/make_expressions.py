"""Write referring sentences for the objects of a detection set, to train on it.

Example:
    mmris make_expressions data/coco/annotations/instances_train2017.json \
        --out data/coco_templates
"""

import argparse

from mmris.command_line import run_command
from mmris.command_line.parser import CommandParser
from mmris.utils.arguments import at_least


def add_arguments(parser: CommandParser) -> None:
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument('instances', help='COCO instances: JSON with images, annotations (with masks) and categories')
    parser.add_argument('--out', required=True, help='folder to write')
    parser.add_argument('--val-share', type=float, default=0.1, help='share of images in split val')
    parser.add_argument('--test-share', type=float, default=0.0, help='share of images in split test')
    parser.add_argument('--seed', type=at_least(0), default=0, help='seed of the sentences and of the splits')
    parser.add_argument('--sentences-per-object', type=at_least(1), default=3, help='the most sentences of an object')
    parser.add_argument(
        '--min-area', type=float, default=0.01, help='share of the image below which an object gets no sentence')
    parser.add_argument(
        '--nouns', help='JSON file {"category name": "noun"}: what to call an object; null leaves a category out')
    parser.add_argument(
        '--bad-data', choices=('raise', 'skip'), default='raise',
        help='raise: stop at a malformed mask; skip: say nothing of its category in its image')
    parser.add_argument('--overwrite', action='store_true', help='replace a set of this tool that is in the folder')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
