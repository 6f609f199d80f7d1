"""Convert the weights of a published model to another layout, bit for bit.

The models are CLIP, BEiT-3, ViLT, Swin, CRIS, SAM and EVF-SAM.

    mmris convert_weights clip ViT-B-16.pt clip_vit-b-16.safetensors
    mmris convert_weights clip best_mIoU_epoch_40.pth clip_finetuned --to hugging_face
    mmris convert_weights cris best_model.pth cris_rn50_refcoco.pth
"""

from mmris.command_line import run_command
from mmris.command_line.parser import CommandParser
from mmris.names import PUBLISHED_NAMES


def add_arguments(parser: CommandParser) -> None:
    models = parser.add_subparsers(dest='model', metavar='MODEL', required=True)
    for name, model in PUBLISHED_NAMES.items():
        one = models.add_parser(
            name,
            help=f'weights of {model.title}',
            description=f'Convert weights of {model.title}. The input may be in the layout of '
            f'{", ".join(model.layouts)} or mmris, or a checkpoint of a model trained here.')
        one.add_argument(
            'weights',
            help='file, folder as the Hugging Face hub gives it, work folder of a training, or a name of '
            '`mmris models`')
        one.add_argument('out', help='file to write; a folder if the layout is written to one')
        one.add_argument(
            '--to', choices=model.written, default=model.written[0], help='layout to write (default: %(default)s)')
        one.add_argument(
            '--trust', action='store_true',
            help='also read a file that holds more than tensors, by running what it says')
        one.set_defaults(quick_gelu=None)
        if model.asks_activation:
            activation = one.add_mutually_exclusive_group()
            activation.add_argument(
                '--quick-gelu', action='store_true', default=None, help='the weights were trained with QuickGELU')
            activation.add_argument(
                '--gelu', action='store_false', dest='quick_gelu', default=None,
                help='the weights were trained with GELU')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
