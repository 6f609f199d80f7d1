"""Segment what sentences refer to in many images: files, folders, globs and videos.

    mmris predict_images --model cm-masksd-shaperef photos --sentences "the red circle" "the star" --out results

asks both sentences about every image in photos, and writes to results: predictions.json (COCO results), images.json
(the images in COCO's form, and those that failed), masks, overlays and overlaid videos. If it is killed, run it again
and it continues. --pairs FILE takes images and sentences from a CSV or JSON Lines file instead.

Exit status: 0, or 1 if some images could not be read, 2 if none could or something else was wrong.

Several processes share the images under tools/dist_predict.sh and tools/slurm_predict.sh.
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import (
    add_compile_argument,
    add_launcher_arguments,
    add_model_arguments,
    add_prediction_arguments,
)
from mmris.command_line.parser import CommandParser
from mmris.utils.arguments import at_least, sentence


def add_arguments(parser: CommandParser) -> None:
    # Inputs may stand before and after options.
    parser.intermixed = True
    add_model_arguments(parser, after='[INPUT ...]')
    parser.add_argument(
        'inputs', nargs='*', metavar='INPUT', help='image or video file, folder, or glob pattern in quotes')
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument(
        '--sentences', nargs='+', type=sentence, help='what to segment in each image; quote each sentence')
    asked.add_argument(
        '--pairs', metavar='FILE', help='CSV, TSV or JSON Lines file with the columns image and sentence, in place of '
        'INPUT; further columns are copied to the results')
    parser.add_argument(
        '--pairs-folder', help='folder that the images in --pairs are in (default: that of the file)')
    parser.add_argument('--out', default='predictions', help='folder for the results (default: %(default)s)')
    parser.add_argument('--recursive', action='store_true', help='also read the folders in folders')
    parser.add_argument(
        '--every', type=at_least(1), default=1, metavar='N', help='take each N-th frame of videos (default: all)')
    parser.add_argument(
        '--batch-size',
        type=at_least(1),
        default=1,
        help='images that the model takes at a time (default: %(default)s)')
    parser.add_argument(
        '--without', nargs='+', choices=('masks', 'overlays', 'videos'), default=[],
        help='what not to write beside the COCO results')
    parser.add_argument('--overwrite', action='store_true', help='remove what an earlier run wrote to --out')
    add_prediction_arguments(parser)
    add_compile_argument(parser)
    add_launcher_arguments(parser)


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
