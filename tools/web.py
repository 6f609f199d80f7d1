"""Show a page in the browser: drop a picture, write sentences, see masks.

    mmris web --model cm-masksd-shaperef

prints the page's address, http://127.0.0.1:7860, which only this machine can open. Several models can be named: the
page lets visitors choose, and loads each when it is first asked. A training of yours is offered with --trained:

    mmris web --trained configs/cm_masksd/vit-tiny_shaperef.py work_dirs/demo/best_mIoU_epoch_4.pth

The page needs the extra `web`: pip install "mmris[maintained,web]".
"""

from mmris.command_line import run_command
from mmris.command_line.parser import CommandParser
from mmris.utils.arguments import port, probability


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        '--model', nargs='+', default=[], metavar='NAME', help='names of `mmris models`, of which the page '
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


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
