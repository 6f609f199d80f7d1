"""The work of ``mmris predict_images``."""

import argparse
from typing import Iterable

from mmris.apis import ReferringInferencer
from mmris.apis.inferencer import Processes, RunSummary, read_pair_file
from mmris.apis.inferencer.run import ALL_OUTPUTS
from mmris.utils.configs import check_inputs, check_output, choose_checkpoint, prediction_settings, read_config
from mmris.utils.launching import destroy_process_group, set_launcher_environment
from mmris.utils.stop_signals import end_with_advice
from mmris.utils.terminal import one_line

SOME_FAILED = 1
# Of more failures than these, images.json tells the rest.
SHOWN = 20


def main(arguments: argparse.Namespace) -> int:
    check_what_is_asked(arguments)
    check_output(arguments.out, folder=True)
    check_inputs(**{'file of images and sentences': arguments.pairs})
    set_launcher_environment(arguments)
    processes = Processes.join(arguments.launcher)
    try:
        with end_with_advice(f'Run the same command to continue: answers in {one_line(str(arguments.out))} are kept.'):
            return predict(arguments, processes)
    finally:
        destroy_process_group()


def check_what_is_asked(arguments: argparse.Namespace) -> None:
    if bool(arguments.inputs) == bool(arguments.pairs):
        raise ValueError('Name inputs with --sentences, or --pairs FILE without inputs.')
    if arguments.pairs_folder and not arguments.pairs:
        raise ValueError('--pairs-folder is about --pairs FILE, which is missing.')


def predict(arguments: argparse.Namespace, processes: Processes) -> int:
    """Predict for all that the command line names; the exit status."""
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


def report_cut(inferencer: ReferringInferencer, sentences: Iterable[str]) -> None:
    """Print how many sentences are longer than what the model reads."""
    asked = sorted(set(sentences))
    cut = [read for read in inferencer.predictor.read_words(asked) if not read.whole]
    if cut:
        print(f'{len(cut)} of {len(asked)} sentences {"is" if len(cut) == 1 else "are"} longer than what the model '
              f'reads, such as "{one_line(cut[0].words)}"')


def report(summary: RunSummary) -> None:
    """Print what a run has come to."""
    print(f'{one_line(str(summary.folder))}: {summary.sentences} answers about '
          f'{summary.images - len(summary.failures)} images, {summary.nothing_fits} of them that nothing fits')
    if summary.found:
        print(f'{summary.found} of {summary.images} images were finished before: this run continued an earlier one')
    if summary.failures:
        print(f'{len(summary.failures)} of {summary.images} images could not be read:')
    for failure in summary.failures[:SHOWN]:
        print(f'  {one_line(failure.name)}: {one_line(failure.reason)}')
    if len(summary.failures) > SHOWN:
        print(f'  and {len(summary.failures) - SHOWN} more: see failed in images.json')
