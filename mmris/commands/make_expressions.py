"""The work of ``mmris make_expressions``."""

import argparse
from typing import Any, Dict, Optional

from mmris.datasets.data_files import read_json
from mmris.datasets.templated_expressions import SKILLS, write_expressions
from mmris.utils.tables import markdown_table
from mmris.utils.text import shorten


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


def main(options: argparse.Namespace) -> None:
    settings = dict(vars(options), nouns=read_nouns(options.nouns))
    content = write_expressions(settings.pop('instances'), settings.pop('out'), **settings)
    print(format_report(content['summary']))
    for split in ('val', 'test'):
        if content['settings'][f'{split}_share'] and not content['summary']['splits'][split]['images']:
            print(f'\nSplit {split} has no image: the set is small. Raise --{split}-share, or change --seed.')
