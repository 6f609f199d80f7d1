"""Bring CLIP weights from any layout to any other: OpenAI's, open_clip's, Hugging Face's, this project's.

    python tools/model_converters/convert_clip.py ViT-B-16.pt clip_vit-b-16.safetensors --to mmris
    python tools/model_converters/convert_clip.py best_mIoU_epoch_40.pth clip_fine-tuned --to hugging_face
"""

import argparse
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Iterable, Optional

from mmris.checkpoints import CLIPWeights, read_clip_weights
from mmris.checkpoints.clip_writing import write_clip_weights
from mmris.checkpoints.key_maps.clip import LAYOUTS
from mmris.utils.configs import check_inputs
from mmris.utils.tool import run_tool


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Convert CLIP weights. What the input is shows from its content.')
    parser.add_argument(
        'weights', help='file, folder as the Hugging Face hub gives it, or checkpoint of a model trained here')
    parser.add_argument('out', help='file to write, .safetensors, .pt, .pth or .bin; for hugging_face a folder')
    parser.add_argument('--to', choices=tuple(LAYOUTS), required=True, help='layout to write')
    activation = parser.add_mutually_exclusive_group()
    activation.add_argument(
        '--quick-gelu', action='store_true', default=None, help='the weights were trained with QuickGELU')
    activation.add_argument(
        '--gelu', action='store_false', dest='quick_gelu', default=None, help='the weights were trained with GELU')
    parser.add_argument(
        '--trust', action='store_true', help='also read a file that holds more than tensors, by running what it says')
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    if not Path(arguments.weights).is_dir():
        check_inputs(weights=arguments.weights)
    weights = read_clip_weights(arguments.weights, trust=arguments.trust, trust_option='--trust')
    weights = with_activation(weights, arguments.quick_gelu)
    files = write_clip_weights(weights, arguments.out, arguments.to)
    print(f'{", ".join(map(str, files))}: {len(weights.image)} tensors of the image tower, {len(weights.text)} of the '
          f'text tower, {activation_name(weights)}')
    if 'logit_scale' not in weights.left_out:
        print('Without logit_scale, the temperature of CLIP\'s training, which the input does not hold.')
    if weights.others:
        print(f'Left out, no part of CLIP: {summarise(weights.others)}')


def summarise(keys: Iterable[str]) -> str:
    """The modules that keys belong to, and how many each has."""
    modules = Counter('.'.join(key.split('.')[:3 if key.startswith('encoder.') else 1]) for key in keys)
    return ', '.join(f'{module} ({count} tensors)' for module, count in sorted(modules.items()))


def with_activation(weights: CLIPWeights, quick_gelu: Optional[bool]) -> CLIPWeights:
    """The weights with the activation that the command line says.

    Raises:
        ValueError: If the file says another.
    """
    if None not in (quick_gelu, weights.quick_gelu) and quick_gelu != weights.quick_gelu:
        raise ValueError(f'{weights.source} was trained with {activation_name(weights)}: leave the option out.')
    return weights if quick_gelu is None else replace(weights, quick_gelu=quick_gelu)


def activation_name(weights: CLIPWeights) -> str:
    return {True: 'QuickGELU', False: 'GELU', None: 'activation not known'}[weights.quick_gelu]


if __name__ == '__main__':
    run_tool(main)
