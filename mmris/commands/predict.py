"""The work of ``mmris predict``."""

import argparse

from mmris.apis.own_images import open_image
from mmris.utils.configs import check_output
from mmris.utils.terminal import one_line


def main(arguments: argparse.Namespace) -> None:
    check_output(arguments.out, folder=True)
    prediction = open_image(arguments).predictor.predict(arguments.sentences)
    saved = prediction.save(arguments.out)
    for path, sentence, note in zip(saved.masks, arguments.sentences, prediction.notes):
        print(f'{one_line(str(path))}: "{one_line(sentence)}", {note}')
    print(f'{one_line(str(saved.overlay))}: all of them\n{one_line(str(saved.json))}: boxes, scores and masks')
