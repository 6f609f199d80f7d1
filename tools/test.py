"""Evaluate a model on one or more splits.

The model is a checkpoint, a name, or a config that needs no training.

    mmris test configs/cm_masksd/vit-b_refcoco.py work_dirs/vit-b_refcoco/best_mIoU_epoch_90.pth \
        --split val testA testB --out metrics.json --dump per_expression.jsonl

Without a checkpoint, the model is what its config's pretrained weights make of it, of which nothing may need training.
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import (
    add_cache_argument,
    add_compile_argument,
    add_launcher_arguments,
    add_model_arguments,
)
from mmris.command_line.parser import CommandParser
from mmris.names import CONTROLS, PRECISIONS


def add_arguments(parser: CommandParser) -> None:
    add_model_arguments(parser, needs_checkpoint=False)
    parser.add_argument('--split', nargs='+', help='splits, as the refs file names them (default: those of the config)')
    parser.add_argument(
        '--controls',
        nargs='+',
        choices=CONTROLS,
        default=[],
        help='also score the first split with wrong or absent input. exchanged: sentences of another object of the '
        'image; empty: no words; shuffled_masks: instance masks of another image; no_masks: no instance masks')
    parser.add_argument('--out', help='JSON file for the scores of each split')
    parser.add_argument('--dump', help='JSON lines file with ids, sentence, intersection, union, IoU an expression')
    parser.add_argument('--work-dir', help='folder for logs (default: work_dirs/<config name>)')
    parser.add_argument('--amp', choices=PRECISIONS, help='evaluate in mixed precision; float16 needs a GPU')
    add_compile_argument(parser)
    add_cache_argument(parser)
    add_launcher_arguments(parser)


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
