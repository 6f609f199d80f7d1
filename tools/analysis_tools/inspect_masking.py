"""Draw what a model's distillation branches mask for a sentence.

For each branch of model.distillation: how its filter rates patches and words, which ones it selects, which ones are
masked, and what the model predicts then.

    mmris inspect_masking configs/cm_masksd/vit-tiny_shaperef.py \
        work_dirs/vit-tiny_shaperef/best_mIoU_epoch_4.pth picture.jpg "the red circle" "the star on the left"
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_image_arguments
from mmris.command_line.parser import CommandParser


def add_arguments(parser: CommandParser) -> None:
    add_image_arguments(parser, 'a row each')
    parser.add_argument('--seed', type=int, default=0, help='decides what is drawn (default: %(default)s)')
    parser.add_argument('--out', default='masking.png', help='picture to write (default: %(default)s)')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
