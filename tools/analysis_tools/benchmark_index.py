"""Measure what the index of a set costs: load time, and memory of each process.

    mmris benchmark_index --workers 0 2 4

The set is of RefCOCO's size unless options say otherwise, and random. Every worker reads every sample. What it then
holds for itself, over the size of the index, is 0 if workers share the index and 1 or more if each has a copy. The
same is measured with the samples as Python objects instead of MMEngine's serialised bytes, as a control that the
measure sees copies: reading an object counts its references, which writes to, hence copies, its page of memory.
"""

from mmris.command_line import run_command
from mmris.command_line.parser import CommandParser
from mmris.utils.arguments import at_least


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument('--objects', type=at_least(1), default=50_000, help='referred objects (default: %(default)s)')
    parser.add_argument('--sentences', type=at_least(1), default=142_000, help='sentences (default: %(default)s)')
    parser.add_argument('--images', type=at_least(1), default=20_000, help='images (default: %(default)s)')
    parser.add_argument(
        '--annotations',
        type=at_least(1),
        default=197_000,
        help='annotated objects, referred ones too (default: %(default)s)')
    parser.add_argument('--folder', help='where to keep the set; one that is there is used (default: a temporary one)')
    parser.add_argument('--group-by', default='ref', choices=['image', 'ref', 'expression'], help='(default: ref)')
    parser.add_argument(
        '--workers', type=at_least(0), nargs='+', default=[0, 2, 4], help='numbers of data workers (default: 0 2 4)')
    parser.add_argument('--out', help='JSON file to write the numbers to')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
