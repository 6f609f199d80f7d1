"""Segment what sentences refer to in many images: files, folders, globs and videos.

    python tools/predict_images.py cm-masksd-shaperef none photos --sentences "the red circle" "the star" --out results

asks both sentences about every image in photos, and writes to results: predictions.json (COCO results), images.json
(the images in COCO's form, and those that failed), masks, overlays and overlaid videos. If it is killed, run it again
and it continues. --pairs FILE takes images and sentences from a CSV or JSON Lines file instead.

Exit status: 0, or 1 if some images could not be read, 2 if none could or something else was wrong.

Several processes share the images under tools/dist_predict.sh and tools/slurm_predict.sh.
"""

import argparse
from typing import TYPE_CHECKING, Iterable

from mmris.utils.arguments import at_least, sentence
from mmris.utils.configs import (
    add_checkpoint_argument,
    add_config_arguments,
    add_prediction_arguments,
    check_inputs,
    check_output,
    choose_checkpoint,
    prediction_settings,
    read_config,
)
from mmris.utils.launching import add_launcher_arguments, destroy_process_group, set_launcher_environment
from mmris.utils.terminal import one_line
from mmris.utils.tool import run_tool

if TYPE_CHECKING:
    from mmris.apis import ReferringInferencer
    from mmris.apis.inferencer import Processes, RunSummary

SOME_FAILED = 1
# Of more failures than these, images.json tells the rest.
SHOWN = 20


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Segment what sentences refer to in many images.')
    add_config_arguments(parser)
    add_checkpoint_argument(parser)
    parser.add_argument(
        'inputs', nargs='*', metavar='input', help='image or video file, folder, or glob pattern in quotes')
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument(
        '--sentences', nargs='+', type=sentence, help='what to segment in each image; quote each sentence')
    asked.add_argument(
        '--pairs', metavar='FILE', help='CSV, TSV or JSON Lines file with the columns image and sentence; further '
        'columns are copied to the results')
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
        '--without',
        nargs='+',
        choices=('masks', 'overlays', 'videos'),
        default=[],
        help='what not to write beside the COCO results')
    parser.add_argument('--overwrite', action='store_true', help='remove what an earlier run wrote to --out')
    add_prediction_arguments(parser)
    add_launcher_arguments(parser)
    arguments = parser.parse_intermixed_args()
    if bool(arguments.inputs) == bool(arguments.pairs):
        parser.error('name inputs with --sentences, or --pairs FILE without inputs')
    if arguments.pairs_folder and not arguments.pairs:
        parser.error('--pairs-folder is about --pairs FILE, which is missing')
    return arguments


def main() -> int:
    arguments = parse_arguments()
    check_output(arguments.out, folder=True)
    check_inputs(**{'file of images and sentences': arguments.pairs})
    set_launcher_environment(arguments)
    from mmris.apis.inferencer import Processes
    processes = Processes.join(arguments.launcher)
    try:
        return predict(arguments, processes)
    finally:
        destroy_process_group()


def predict(arguments: argparse.Namespace, processes: 'Processes') -> int:
    """Predict for all that the command line names; the exit status."""
    from mmris.apis import ReferringInferencer
    from mmris.apis.inferencer import read_pair_file
    from mmris.apis.inferencer.run import ALL_OUTPUTS
    checkpoint = choose_checkpoint(arguments)
    inferencer = ReferringInferencer(read_config(arguments), checkpoint, **prediction_settings(arguments))
    # Names of images in a folder that is given alone are those below it.
    inputs = arguments.inputs[0] if len(arguments.inputs) == 1 else arguments.inputs
    if arguments.pairs:
        inputs = list(read_pair_file(arguments.pairs, arguments.pairs_folder, arguments.every))
    if processes.is_first:
        report_cut(inferencer, arguments.sentences or [own for request in inputs for own in request.sentences])
    summary = inferencer.write(
        inputs,
        arguments.out,
        arguments.sentences,
        batch_size=arguments.batch_size,
        recursive=arguments.recursive,
        every=arguments.every,
        outputs=[output for output in ALL_OUTPUTS if output not in arguments.without],
        overwrite=arguments.overwrite,
        processes=processes)
    if processes.is_first:
        report(summary)
    return SOME_FAILED if summary.failures and processes.is_first else 0


def report_cut(inferencer: 'ReferringInferencer', sentences: Iterable[str]) -> None:
    """Print how many sentences are longer than what the model reads."""
    asked = sorted(set(sentences))
    cut = [read for read in inferencer.predictor.read_words(asked) if not read.whole]
    if cut:
        print(f'{len(cut)} of {len(asked)} sentences {"is" if len(cut) == 1 else "are"} longer than what the model '
              f'reads, such as "{one_line(cut[0].words)}"')


def report(summary: 'RunSummary') -> None:
    """Print what a run has come to."""
    print(f'{one_line(str(summary.folder))}: {summary.sentences} answers about '
          f'{summary.images - len(summary.failures)} images, {summary.nothing_fits} of them that nothing fits')
    if summary.failures:
        print(f'{len(summary.failures)} of {summary.images} images could not be read:')
    for failure in summary.failures[:SHOWN]:
        print(f'  {one_line(failure.name)}: {one_line(failure.reason)}')
    if len(summary.failures) > SHOWN:
        print(f'  and {len(summary.failures) - SHOWN} more: see failed in images.json')


if __name__ == '__main__':
    run_tool(main)
