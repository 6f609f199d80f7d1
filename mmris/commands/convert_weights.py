"""The work of ``mmris convert_weights``."""

import argparse
from pathlib import Path

from mmris.checkpoints import PUBLISHED, convert
from mmris.utils.configs import check_checkpoint


def main(arguments: argparse.Namespace) -> None:
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
