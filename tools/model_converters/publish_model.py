"""Write the weights of a checkpoint alone, to give away.

    python tools/model_converters/publish_model.py work_dirs/vit-b_refcoco/best_mIoU_epoch_90.pth models/vit-b_refcoco
"""

import argparse
from pathlib import Path

from mmris.checkpoints import publish
from mmris.checkpoints.runs import FORMATS
from mmris.utils.tool import run_tool
from mmris.zoo import find_weights


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Write the weights of a checkpoint alone, without optimiser and distillation branches.')
    parser.add_argument('checkpoint', help='checkpoint file, or a name of `python -m mmris models`')
    parser.add_argument(
        'out', help='begin of the new files\' paths, to which the first digits of their SHA-256 and a suffix are added')
    parser.add_argument(
        '--config', metavar='NAME', help='config that it was trained with (default: the one that the checkpoint names)')
    parser.add_argument(
        '--formats', nargs='+', choices=FORMATS, default=FORMATS, help='formats to write (default: all of them)')
    parser.add_argument(
        '--half', action='store_true', help='write floating-point weights as float16, which halves the files')
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    checkpoint = find_weights(arguments.checkpoint)
    publication = publish(
        checkpoint,
        arguments.out,
        config=arguments.config,
        formats=arguments.formats,
        half=arguments.half)
    print(f'{checkpoint}: {size(checkpoint)}')
    print(f'stripped: {", ".join(publication.stripped) or "nothing"}')
    for path in publication.files:
        print(f'{path}: {size(path)}')


def size(path: str) -> str:
    return f'{Path(path).stat().st_size / 2**20:.1f} MiB'


if __name__ == '__main__':
    run_tool(main)
