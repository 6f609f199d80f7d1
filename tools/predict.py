"""Segment what sentences refer to in one image.

    python tools/predict.py configs/cm_masksd/vit-tiny_shaperef.py work_dirs/demo/best_mIoU_epoch_4.pth photo.jpg \
        "the red circle" "the star on the left" --out predictions

writes photo_1_mask.png, photo_2_mask.png, photo_overlay.png and photo.json (boxes, scores and masks in COCO's form) to
predictions. Run it again and they are replaced. Run it on another photo.jpg or on photo.png and the names differ
(photo.png_1_mask.png, ...), so nothing is overwritten.

For a config that takes instance masks, --masks names those that a segmenter found on the image.
"""

import argparse

from mmris.apis.own_images import add_image_arguments, open_image
from mmris.utils.configs import check_output
from mmris.utils.terminal import one_line
from mmris.utils.tool import run_tool


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Segment what sentences refer to in one image.')
    add_image_arguments(parser, 'what to segment')
    parser.add_argument('--out', default='predictions', help='folder for the files (default: %(default)s)')
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    check_output(arguments.out, folder=True)
    prediction = open_image(arguments).predictor.predict(arguments.sentences)
    saved = prediction.save(arguments.out)
    for path, sentence, note in zip(saved.masks, arguments.sentences, prediction.notes):
        print(f'{one_line(str(path))}: "{one_line(sentence)}", {note}')
    print(f'{one_line(str(saved.overlay))}: all of them\n{one_line(str(saved.json))}: boxes, scores and masks')


if __name__ == '__main__':
    run_tool(main)
