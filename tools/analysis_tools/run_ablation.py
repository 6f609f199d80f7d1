"""Train several configs with several seeds, evaluate each, and compare.

Mean and deviation over the seeds are written as a table and a plot.

    mmris run_ablation configs/cm_masksd/ablations/shaperef_{baseline,lmvsd,vmlsd,both}.py \
        --seeds 0 1 2 --split val testA testB --out work_dirs/ablation

Interrupted, the same command goes on where it was. The last checkpoint is evaluated: none is picked by its score.
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_data_arguments
from mmris.command_line.parser import CommandParser
from mmris.utils.arguments import at_least, pair


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        'configs', nargs='+', help='config files, or mmris::FOLDER/NAME.py; the others are compared with the first')
    parser.add_argument('--seeds', nargs='+', type=at_least(0), default=[0, 1, 2], help='seeds (default: 0 1 2)')
    parser.add_argument('--split', nargs='+', default=['val'], help='splits to evaluate on (default: val)')
    parser.add_argument(
        '--metrics', nargs='+', default=['mIoU', 'oIoU'], help='columns; the first is also shown by skill (default: '
        'mIoU oIoU)')
    parser.add_argument(
        '--pairs', nargs='+', type=pair, metavar='A:B', help='names of configs whose difference A - B is tested, seed '
        'by seed: Student\'s t for pairs, with Holm\'s correction')
    parser.add_argument(
        '--pairs-on', default='val/mIoU', metavar='SPLIT/METRIC', help='the column to test on (default: %(default)s)')
    parser.add_argument('--out', default='work_dirs/ablation', help='folder of runs and results (default: %(default)s)')
    add_data_arguments(parser)
    parser.add_argument('--processes', type=at_least(1), default=1, help='processes of a run, one a GPU (default: 1)')
    parser.add_argument('--jobs', type=at_least(1), default=1, help='runs at a time (default: 1)')
    parser.add_argument(
        '--train-options', default='', help='further options of train.py: --train-options="--amp --auto-scale-lr"')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
