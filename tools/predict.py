"""Segment what sentences refer to in one image.

    python tools/predict.py configs/cm_masksd/vit-tiny_shaperef.py work_dirs/demo/best_mIoU_epoch_4.pth photo.jpg \
        "the red circle" "the star on the left" --out predictions

For a config that takes instance masks, --masks names those that a segmenter found on the image.
"""

import argparse
from pathlib import Path
from typing import Optional

import numpy as np
from PIL import Image

from mmris.apis.own_images import add_image_arguments, open_image
from mmris.utils import write_atomically
from mmris.utils.configs import check_output
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
    masks = image.predictor.predict(arguments.sentences) > image.threshold

    folder, stem = Path(arguments.out), Path(arguments.image).stem
    for position, (sentence, mask) in enumerate(zip(arguments.sentences, masks), start=1):
        path = folder / f'{stem}_{position}_mask.png'
        save(mask.astype(np.uint8) * 255, path)
        print(f'{path}: "{sentence}", {100 * mask.mean():.1f}% of the image')
    path = folder / f'{stem}_overlay.png'
    save(draw_overlay(image.pixels, arguments.sentences, masks, image.instances.masks), path)
    print(f'{path}: all of them')


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


def save(picture: np.ndarray, path: Path) -> None:
    with write_atomically(path) as temporary:
        Image.fromarray(picture).save(temporary)


if __name__ == '__main__':
    main()
