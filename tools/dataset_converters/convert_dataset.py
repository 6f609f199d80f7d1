"""Convert a data set of any form to the REFER files, COCO or Parquet.

It takes published sets and annotations of your own.

    mmris convert_dataset seqtr refcoco-unc/instances.json --images data/coco/train2014 --out data/refcoco
    mmris convert_dataset label-studio export.json --images photos --val-share 0.2 --out data/mine

It prints what was left out and why. REFER files whose images are known are checked, and the command to run next is
printed. The status is 1 if something in the new set is broken, 2 if it fails.
"""

import argparse

from mmris.command_line import run_command
from mmris.command_line.parser import CommandParser, suggest
from mmris.names import FORM_TITLES, flag_of

CHOICES = dict(mask_values=('binary', 'instances'), upright=('true', 'false'))
METAVARS = dict(val_share='SHARE', test_share='SHARE', seed='NUMBER', text_key='NAME', image_key='NAME',
                mask_folder='FOLDER', image_column='NAME', mask_column='NAME', sentence_column='NAME',
                split_column='NAME', value_column='NAME')
TARGETS = ('refer', 'coco', 'parquet')
# Options of single forms, by the names that readers know them by; with their type and help.
FORM_OPTIONS = dict(
    val_share=(float, 'share of the images for split val, from 0 to 1 (default: 0)'),
    test_share=(float, 'share of the images for split test (default: 0)'),
    seed=(int, 'seed by which images are divided (default: 0)'),
    text_key=(str, 'attribute or field with the sentences, if there are several'),
    image_key=(str, 'Label Studio: field of a task that names its image, if there are several'),
    mask_values=(str, 'what the pixels of mask files mean. binary: all above 0 are the object; instances: each object '
                 'has its own value'),
    mask_folder=(str, 'csv: folder that paths of masks are relative to (default: that of the CSV file)'),
    image_column=(str, 'csv: column of the image (default: image)'),
    mask_column=(str, 'csv: column of the mask file (default: mask)'),
    sentence_column=(str, 'csv: column of the sentence (default: sentence)'),
    split_column=(str, 'csv: column of the split (default: split)'),
    value_column=(str, "csv: column of the object's value in the mask (default: value)"),
    upright=(str, 'whether annotations belong to images turned upright by their EXIF, if their size '
             'does not tell'))


def add_arguments(parser: CommandParser) -> None:
    forms = dict(auto='as recognised by the files', **FORM_TITLES)
    width = max(map(len, forms))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = '\n'.join(['forms:', *(f'  {name:<{width}} {title}' for name, title in forms.items())])
    suggest(parser.add_argument('form', metavar='FORM', help='form of the files, see below'), forms)
    parser.add_argument('files', nargs='+', metavar='FILES', help='files, a folder, or a quoted pattern')
    parser.add_argument('--out', required=True, help='folder to write')
    parser.add_argument('--to', choices=TARGETS, default='refer', help='form to write (default: %(default)s)')
    parser.add_argument('--images', help='folder of the images. Without it, they are not looked at')
    parser.add_argument(
        '--copy-images', action='store_true', help='copy the images of the set to the folder "images" of the new one')
    parser.add_argument(
        '--instances', help='COCO annotations with the masks, for forms without them (default: instances.json beside '
        'the files)')
    parser.add_argument(
        '--by', default='own', help='name in the brackets of refs(...).p (default: %(default)s)')
    parser.add_argument('--overwrite', action='store_true', help='replace the folder if it is there')
    own = parser.add_argument_group('annotations of your own (docs/own_data.md)')
    for name, (kind, text) in FORM_OPTIONS.items():
        own.add_argument(flag_of(name), type=kind, choices=CHOICES.get(name), metavar=METAVARS.get(name), help=text)


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
