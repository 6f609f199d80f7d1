"""Tell whether the filters of CM-MaskSD's branches follow what guides them.

Words are selected by the image, patches by the sentence. Both are exchanged for another: where the selection stays as
it was, the filter follows its own modality alone. Without a checkpoint, the towers are those that the config begins
from (model.encoder.pretrained).

    mmris filter_report configs/cm_masksd/masking/both.py --split val
    mmris filter_report configs/cm_masksd/vit-tiny_shaperef.py work_dirs/vit-tiny_shaperef/epoch_4.pth --split val
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_config_arguments
from mmris.command_line.parser import CommandParser
from mmris.utils.arguments import at_least, file_or_none


def add_arguments(parser: CommandParser) -> None:
    add_config_arguments(parser)
    parser.add_argument(
        'checkpoint', nargs='?', type=file_or_none, help='checkpoint file (default: the pretrained towers)')
    parser.add_argument('--split', default='val', help='split to look at (default: %(default)s)')
    parser.add_argument(
        '--batch-size', type=at_least(2), default=16, help='images among which are exchanged (default: %(default)s)')
    parser.add_argument('--out', help='JSON file to write too')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
