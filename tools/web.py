"""Show a page in the browser: drop a picture, write sentences, see masks.

    python tools/web.py --model cm-masksd-shaperef

prints the page's address, http://127.0.0.1:7860, which only this machine can open. Several models can be named: the
page lets visitors choose, and loads each when it is first asked. A training of yours is offered with --trained:

    python tools/web.py --trained configs/cm_masksd/vit-tiny_shaperef.py work_dirs/demo/best_mIoU_epoch_4.pth

The page needs the extra `web`: pip install "mmris[maintained,web]".
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Callable, Dict

from mmris.utils.arguments import port, probability
from mmris.utils.tool import run_tool

# Comes with mmris.
DEFAULT = 'cm-masksd-shaperef'


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Show a page in the browser: drop a picture, write sentences, see '
                                     'masks.')
    parser.add_argument(
        '--model', nargs='+', metavar='NAME', help='names of `python -m mmris models`, of which the page offers a '
        f'choice (default: {DEFAULT}, if there is no --trained)')
    parser.add_argument(
        '--trained', nargs=2, action='append', metavar=('CONFIG', 'CHECKPOINT'), help='a model that you trained; can '
        'be given several times')
    parser.add_argument(
        '--host', default='127.0.0.1', help='address of this machine that the page is served at; 0.0.0.0 shows it to '
        'everybody who reaches this machine (default: %(default)s, this machine alone)')
    parser.add_argument('--port', type=port, default=7860, help='0 for any that is free (default: %(default)s)')
    parser.add_argument('--threshold', type=probability, help='probability above which a pixel belongs to a mask, at '
                        'first (default: that of the model\'s scores)')
    parser.add_argument('--device', help='such as cpu or cuda:0 (default: a GPU where there is one)')
    parser.add_argument('--dtype', choices=('float32', 'float16', 'bfloat16'), default='float32', help='type of the '
                        'weights; the last two need half the memory (default: %(default)s)')
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    from mmris.web import Models, serve
    serve(Models(find_loaders(arguments)), arguments.host, arguments.port)


def find_loaders(arguments: argparse.Namespace) -> Dict[str, Callable]:
    """For each model of the command line what loads it, by the name that the page shows."""
    from mmris.apis import Predictor
    from mmris.utils.configs import check_checkpoint
    from mmris.utils.resources import check_config_file, find_config
    from mmris.zoo import MODEL, check_kind, get_model

    settings = dict(threshold=arguments.threshold, device=arguments.device, dtype=arguments.dtype)
    loaders: Dict[str, Callable] = {}
    for name in arguments.model or ([] if arguments.trained else [DEFAULT]):
        check_kind(get_model(name), MODEL, weights=False)
        loaders[name] = partial(Predictor.from_pretrained, name, **settings)
    for config, checkpoint in arguments.trained or []:
        check_config_file(find_config(config))
        check_checkpoint(checkpoint)
        loaders[f'{Path(config).stem} ({Path(checkpoint).name})'] = partial(
            Predictor.trained, config, checkpoint, **settings)
    return loaders


if __name__ == '__main__':
    run_tool(main)
