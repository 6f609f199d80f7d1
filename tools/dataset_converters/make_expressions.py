"""Write referring sentences for the objects of a detection set, to train on it.

Example:
    python tools/dataset_converters/make_expressions.py data/coco/annotations/instances_train2017.json \
        --out data/coco_templates
"""

import argparse
from typing import Any, Dict, List, Optional

from mmris.datasets.data_files import read_json
from mmris.datasets.templated_expressions import SKILLS, write_expressions
from mmris.utils.arguments import at_least
from mmris.utils.tables import markdown_table
from mmris.utils.text import shorten
from mmris.utils.tool import run_tool


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command's arguments."""
    parser = argparse.ArgumentParser(
        description='Write sentences such as "the left dog" for the objects of a COCO instances file, each of which '
        'fits exactly one object of its image. The result is a folder in the form of the RefCOCO family. The same '
        'input and arguments always give the same files.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False)
    parser.add_argument('instances', help='COCO instances: JSON with images, annotations (with masks) and categories')
    parser.add_argument('--out', required=True, help='folder to write')
    parser.add_argument('--val-share', type=float, default=0.1, help='share of images in split val')
    parser.add_argument('--test-share', type=float, default=0.0, help='share of images in split test')
    parser.add_argument('--seed', type=at_least(0), default=0, help='seed of the sentences and of the splits')
    parser.add_argument('--sentences-per-object', type=at_least(1), default=3, help='the most sentences of an object')
    parser.add_argument(
        '--min-area', type=float, default=0.01, help='share of the image below which an object gets no sentence')
    parser.add_argument(
        '--nouns', help='JSON file {"category name": "noun"}: what to call an object; null leaves a category out')
    parser.add_argument(
        '--bad-data', choices=('raise', 'skip'), default='raise',
        help='raise: stop at a malformed mask; skip: say nothing of its category in its image')
    parser.add_argument('--overwrite', action='store_true', help='replace a set of this tool that is in the folder')
    return parser


def read_nouns(path: Optional[str]) -> Optional[Dict[str, Any]]:
    """Read what to call objects.

    Args:
        path (str, optional): A JSON file. None stands for no such file.

    Returns:
        dict, optional: Nouns by category names; None without a file.

    Raises:
        FileNotFoundError, ValueError: If there is no such file, or it is not JSON, or holds anything but a dict.
    """
    if path is None:
        return None
    nouns = read_json(path)
    if not isinstance(nouns, dict):
        raise ValueError(f'{path} holds {shorten(nouns)}, but nouns are a dict, such as {{"sports ball": "ball"}}.')
    return nouns


def format_report(summary: Dict[str, Any]) -> str:
    """Lay out what was written and what was left out.

    Args:
        summary (dict): ``summary`` of what :func:`write_expressions` returns.

    Returns:
        str: Two tables in Markdown, and notes.
    """
    rows = [[name, split['images'], split['refs'], split['sentences'], *(split['skills'][skill] for skill in SKILLS)]
            for name, split in summary['splits'].items() if split['images']]
    reasons = [[reason, count] for reason, count in summary['left_out'].items() if count]
    total = sum(split['refs'] for split in summary['splits'].values())
    lines = [
        f'Objects with sentences: {total:,} of {summary["objects"]:,}. Images: {summary["images"]:,}.', '',
        markdown_table(['split', 'images', 'objects', 'sentences', *SKILLS], rows)
    ]
    if reasons:
        lines += ['', markdown_table(['why other objects have none', 'objects'], reasons)]
    if summary['names_without_noun']:
        lines += ['', f'Categories left out: {", ".join(summary["names_without_noun"])}. The name is no English '
                  f'singular, or outlines of this category often are not one whole object. --nouns gives it a noun.']
    return '\n'.join(lines)


def main(arguments: Optional[List[str]] = None) -> None:
    """Run the command.

    Args:
        arguments (list[str], optional): Command line without the program's name. Default: None, this process's.
    """
    options = vars(build_parser().parse_args(arguments))
    options['nouns'] = read_nouns(options['nouns'])
    content = write_expressions(options.pop('instances'), options.pop('out'), **options)
    print(format_report(content['summary']))
    for split in ('val', 'test'):
        if content['settings'][f'{split}_share'] and not content['summary']['splits'][split]['images']:
            print(f'\nSplit {split} has no image: the set is small. Raise --{split}-share, or change --seed.')


if __name__ == '__main__':
    run_tool(main)
