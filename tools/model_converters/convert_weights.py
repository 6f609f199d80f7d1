"""Convert the weights of a published model (CLIP, BEiT-3, ViLT, Swin, CRIS, SAM, EVF-SAM) to another layout.

    python tools/model_converters/convert_weights.py clip ViT-B-16.pt clip_vit-b-16.safetensors
    python tools/model_converters/convert_weights.py clip best_mIoU_epoch_40.pth clip_finetuned --to hugging_face
    python tools/model_converters/convert_weights.py cris best_model.pth cris_rn50_refcoco.pth
"""

import argparse
from pathlib import Path

from mmris.checkpoints import PUBLISHED, convert
from mmris.utils.configs import check_checkpoint
from mmris.utils.tool import run_tool


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Convert weights of a published model, bit for bit.')
    models = parser.add_subparsers(dest='model', metavar='MODEL', required=True, help=', '.join(PUBLISHED))
    for name, model in PUBLISHED.items():
        names = [layout.key_map.name for layout in model.layouts]
        one = models.add_parser(
            name,
            description=f'Convert weights of {model.title}. The input may be in the layout of '
            f'{", ".join(dict.fromkeys(names))} or mmris, or a checkpoint of a model trained here.')
        one.add_argument(
            'weights',
            help='file, folder as the Hugging Face hub gives it, work folder of a training, or a name of '
            '`python -m mmris models`')
        one.add_argument('out', help='file to write; a folder if the layout is written to one')
        one.add_argument(
            '--to', choices=tuple(model.written), default='mmris', help='layout to write (default: %(default)s)')
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
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    model = PUBLISHED[arguments.model]
    if not Path(arguments.weights).is_dir():
        check_checkpoint(arguments.weights, kind=None, name='file of weights')
    conversion = convert(
        model,
        arguments.weights,
        arguments.out,
        arguments.to,
        quick_gelu=arguments.quick_gelu,
        trust=arguments.trust)
    print(f'{", ".join(map(str, conversion.files))}: {conversion.tensors} tensors of {model.title} '
          f'({conversion.description})')
    if conversion.dropped:
        print(f'Not converted: {", ".join(conversion.dropped)}')


if __name__ == '__main__':
    run_tool(main)
