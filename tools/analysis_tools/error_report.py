"""Tell where a model fails, from the scores of its expressions.

    mmris test CONFIG CHECKPOINT --split val testA --dump per_expression.jsonl
    mmris error_report per_expression.jsonl --out error_report
    mmris error_report per_expression.jsonl --split val --config CONFIG --checkpoint CHECKPOINT

The last one also draws the worst predictions.
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_compile_argument, add_optional_model_arguments, add_prediction_arguments
from mmris.command_line.parser import CommandParser
from mmris.utils.arguments import at_least


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument('rows', help='JSON lines file of `mmris test --dump`')
    parser.add_argument('--split', nargs='+', help='splits in it (default: all)')
    parser.add_argument('--out', default='error_report', help='folder to write (default: %(default)s)')
    parser.add_argument(
        '--number', type=at_least(1), default=12, help='how many of the worst to show (default: %(default)s)')
    add_optional_model_arguments(parser)
    add_prediction_arguments(parser)
    add_compile_argument(parser)


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
