"""Show a page in the browser: drop a picture, write sentences, see masks.

    python tools/web.py --model cm-masksd-shaperef

prints the page's address, http://127.0.0.1:7860, which only this machine can open. Several models can be named: the
page lets visitors choose, and loads each when it is first asked. A training of yours is offered with --trained:

    python tools/web.py --trained configs/cm_masksd/vit-tiny_shaperef.py work_dirs/demo/best_mIoU_epoch_4.pth

The page needs the extra `web`: pip install "mmris[maintained,web]".
"""

import argparse

from mmris.utils.arguments import port, probability
from mmris.utils.tool import run_tool


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Show a page in the browser: drop a picture, write sentences, see '
                                     'masks.')
    add_arguments(parser)
    return parser.parse_args()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--model', nargs='+', default=[], metavar='NAME', help='names of `python -m mmris models`, of which the page '
        'offers a choice (default: cm-masksd-shaperef, if there is no --trained)')
    parser.add_argument(
        '--trained', nargs=2, action='append', default=[], metavar=('CONFIG', 'CHECKPOINT'), help='a model that you '
        'trained; can be given several times')
    parser.add_argument(
        '--host', default='127.0.0.1', help='address of this machine that the page is served at; 0.0.0.0 shows it to '
        'everybody who reaches this machine (default: %(default)s, this machine alone)')
    parser.add_argument('--port', type=port, default=7860, help='0 for any that is free (default: %(default)s)')
    parser.add_argument('--threshold', type=probability, help='probability above which a pixel belongs to a mask, at '
                        'first (default: that of the model\'s scores)')
    parser.add_argument('--device', help='such as cpu or cuda:0 (default: a GPU where there is one)')
    parser.add_argument('--dtype', choices=('float32', 'float16', 'bfloat16'), default='float32', help='type of the '
                        'weights; the last two need half the memory (default: %(default)s)')


def main() -> None:
    arguments = parse_arguments()
    # After the arguments: this imports PyTorch.
    from mmris.web import Models, find_loaders, serve
    settings = dict(threshold=arguments.threshold, device=arguments.device, dtype=arguments.dtype)
    serve(Models(find_loaders(arguments.model, arguments.trained, **settings)), arguments.host, arguments.port)


if __name__ == '__main__':
    run_tool(main)
