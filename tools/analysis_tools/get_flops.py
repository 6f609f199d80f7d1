"""Count parameters and multiply-adds of a config's model, stage by stage.

    mmris get_flops configs/cm_masksd/vit-b_refcoco.py
    mmris get_flops configs/cm_masksd/vit-b_refcoco.py --shape 480 480 --tokens 20 \
        --out vit-b_refcoco.json
    mmris get_flops configs/mail/vilt-b_refcoco.py --instances 8

Of one image and one expression in evaluation; below the total, what of it is computed once an image, and what once
more for each further sentence about it. Counted are the multiply-adds of convolutions, linear maps and products
of matrices, those of attention among them; not norms, activations, sums and interpolations. Weights and data need not
be there, and nothing is computed: it takes seconds, and the model no memory, for any size.
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_option_argument
from mmris.command_line.parser import CommandParser
from mmris.names import USUAL_TOKENS


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument('config', help='config file, or mmris::FOLDER/NAME.py for one of the project\'s')
    parser.add_argument(
        '--shape',
        nargs=2,
        type=int,
        metavar=('HEIGHT', 'WIDTH'),
        help='of the input in pixels (default: that of the config\'s test pipeline)')
    parser.add_argument(
        '--tokens',
        type=int,
        help='tokens of the expression (default: those that the config\'s test pipeline pads to; '
        f'{USUAL_TOKENS}, a usual sentence with its two ends, if it pads to the longest sentence)')
    parser.add_argument(
        '--instances',
        type=int,
        default=0,
        help='instance masks of the image, for models that they enter (default: %(default)s)')
    parser.add_argument('--out', help='JSON file to write the numbers to')
    add_option_argument(parser)
    parser.set_defaults(data_root=None, refs_file=None, image_folder=None)


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
