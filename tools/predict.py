"""Segment what sentences refer to in one image.

    mmris predict configs/cm_masksd/vit-tiny_shaperef.py work_dirs/demo/best_mIoU_epoch_4.pth photo.jpg \
        "the red circle" "the star on the left" --out predictions

writes photo_1_mask.png, photo_2_mask.png, photo_overlay.png and photo.json (boxes, scores and masks in COCO's form) to
predictions. Run it again and they are replaced. Run it on another photo.jpg or on photo.png and the names differ
(photo.png_1_mask.png, ...), so nothing is overwritten.

For a config that takes instance masks, --masks names those that a segmenter found on the image.
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_image_arguments
from mmris.command_line.parser import CommandParser


def add_arguments(parser: CommandParser) -> None:
    add_image_arguments(parser, 'what to segment')
    parser.add_argument('--out', default='predictions', help='folder for the files (default: %(default)s)')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
