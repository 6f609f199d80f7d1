"""Check a set on disk: entries, images, and counts against the published ones.

    mmris check_dataset --data-root data/refcoco --refs-file "refs(unc).p" --decode

A config in place of --data-root checks that config's set, with its instance masks. It exits with 0 if all is well, 1 if
anything is broken or a count differs, 2 if refs or annotations cannot be read at all, or
the report cannot be written.
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_option_argument
from mmris.command_line.parser import CommandParser
from mmris.names import COUNTED_SETS, IMAGE_FOLDERS


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument('config', nargs='?', help='config whose set to check; without one, --data-root names the set')
    parser.add_argument('--data-root', help='folder of the set (default: the config\'s)')
    parser.add_argument('--refs-file', help='refs file in it (default: the config\'s, or the only refs(...) there)')
    parser.add_argument('--ann-file', help='annotation file in it (default: the config\'s, or instances.json)')
    parser.add_argument(
        '--image-folder',
        help=f'folder of the images, below --data-root (default: the config\'s, or the first of '
        f'{" and ".join(IMAGE_FOLDERS)} that is there)')
    parser.add_argument(
        '--set',
        choices=[*COUNTED_SETS, 'none'],
        help='published set to compare counts with (default: by the names of folder and refs file)')
    parser.add_argument('--text-field', choices=['sent', 'raw'], help='sentences to check (default: sent)')
    parser.add_argument('--decode', action='store_true', help='decode each image and mask; minutes for a whole set')
    parser.add_argument(
        '--upright', action='store_true', help='annotations belong to images turned upright by their EXIF (default: as '
        'the config\'s LoadImage reads them, or as stored)')
    parser.add_argument('--out', help='JSON file to write the report to')
    add_option_argument(parser)


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
