"""The work of ``mmris publish_model``."""

import argparse
from pathlib import Path

from mmris.checkpoints import publish
from mmris.zoo import find_weights


def main(arguments: argparse.Namespace) -> None:
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
