"""Segment what sentences refer to in one image.

    python tools/predict.py configs/cm_masksd/vit-tiny_shaperef.py work_dirs/demo/best_mIoU_epoch_4.pth photo.jpg \
        "the red circle" "the star on the left" --out predictions

writes photo_1_mask.png, photo_2_mask.png and photo_overlay.png to predictions. Run it again and they are replaced; with
fewer sentences, the masks of the others stay. Run it on another photo.jpg or on photo.png and the names differ
(photo.png_1_mask.png, ...), so nothing is overwritten.

For a config that takes instance masks, --masks names those that a segmenter found on the image.
"""

import argparse
from typing import Optional

import numpy as np

from mmris.apis.outputs import choose_outputs, save_output
from mmris.apis.own_images import add_image_arguments, open_image
from mmris.utils.configs import check_output
from mmris.utils.terminal import one_line
from mmris.utils.tool import run_tool
from mmris.visualization import COLOURS, Panel, draw_sheet, instances_panel, overlay_masks, spotlight


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Segment what sentences refer to in one image.')
    add_image_arguments(parser, 'what to segment')
    parser.add_argument('--out', default='predictions', help='folder for the pictures (default: %(default)s)')
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    check_output(arguments.out, folder=True)
    image = open_image(arguments)
    masks = image.protocol.masks(image.predictor.predict(arguments.sentences))

    numbers = range(1, len(masks) + 1)
    endings = [*(f'_{number}_mask.png' for number in numbers), '_overlay.png']
    *paths, overlay = choose_outputs(arguments.out, arguments.image, endings)
    for path, sentence, mask in zip(paths, arguments.sentences, masks):
        save_output(mask.astype(np.uint8) * 255, path, arguments.image)
        print(f'{one_line(str(path))}: "{one_line(sentence)}", {100 * mask.mean():.1f}% of the image')
    picture = draw_overlay(image.pixels, arguments.sentences, masks, image.instances.masks)
    save_output(picture, overlay, arguments.image)
    print(f'{one_line(str(overlay))}: all of them')


def draw_overlay(image: np.ndarray, sentences: list, masks: np.ndarray, instances: Optional[np.ndarray]) -> np.ndarray:
    """One picture: what was found on the image if anybody looked, the image with all masks, each with its sentence."""
    panels = [] if instances is None else [instances_panel(image, instances)]
    if len(masks) > 1:
        panels.append(Panel(caption='all sentences', pictures=[overlay_masks(image, masks)]))
    for position, (sentence, mask) in enumerate(zip(sentences, masks)):
        colour = COLOURS[position % len(COLOURS)]
        panels.append(
            Panel(
                caption=sentence,
                note=f'{100 * mask.mean():.1f}%',
                colour=colour,
                pictures=[spotlight(image, mask, colour)]))
    return np.asarray(draw_sheet(panels, title='Predictions', columns=3, cell=400))


if __name__ == '__main__':
    run_tool(main)
