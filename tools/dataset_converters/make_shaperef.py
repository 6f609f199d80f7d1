"""Generate ShapeRef, a synthetic referring segmentation set in the files of RefCOCO.

Example:
    python tools/dataset_converters/make_shaperef.py --out data/shaperef --style refcoco
"""

import argparse
import sys
from typing import Any, Dict, List, Optional

from mmris.datasets.shaperef import DEFAULT_COUNTS, STYLES, write_shaperef
from mmris.utils.tool import run_tool

_SKILLS = ('shape', 'colour', 'size', 'place', 'relation')
_TAGS = ('near miss', 'absent', 'several')


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command's arguments."""
    parser = argparse.ArgumentParser(
        description='Generate ShapeRef: scenes of coloured shapes with referring expressions, in '
        'the files of RefCOCO. One seed always gives the same files.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False)
    parser.add_argument('--out', default='data/shaperef', help='folder to write')
    parser.add_argument(
        '--style', default='refcoco', choices=STYLES,
        help='refcoco: words with place; refcoco+: appearance only; refcocog: longer relations')
    parser.add_argument('--seed', type=int, default=0, help='seed of all pictures and sentences')
    parser.add_argument('--train', type=int, default=6000, help='images of split train')
    parser.add_argument('--val', type=int, default=500, help='images of split val')
    parser.add_argument(
        '--testA', type=int, default=250,
        help='images of split testA (2 or 3 objects); of split test for style refcocog')
    parser.add_argument(
        '--testB', type=int, default=250,
        help='images of split testB (4 or 5 objects); style refcocog has no such split')
    parser.add_argument(
        '--no-target-share', type=float, default=0., metavar='SHARE',
        help='share of the refs that fit nothing: near misses ("red circle" where there are a red square and a blue '
        'circle) and absent things, half each')
    parser.add_argument(
        '--several-share', type=float, default=0., metavar='SHARE',
        help='share of the refs that fit several objects ("both squares")')
    parser.add_argument(
        '--processes', type=int, help='worker processes; None: one per usable CPU')
    parser.add_argument(
        '--overwrite', action='store_true', help='replace a ShapeRef that is in the folder')
    return parser


def format_summary(content: Dict[str, Any]) -> str:
    """Return a table of the splits: images, refs, sentences, and the share of each skill.

    A set with sentences that do not fit exactly one object also has the number of sentences of each such kind.
    """
    tags = [tag for tag in _TAGS if any(tag in row['skills'] for row in content['summary'].values())]
    columns = ('split', 'images', 'refs', 'sentences', *_SKILLS, *tags)
    lines = [''.join(f'{column:>10}' for column in columns)]
    for split, row in content['summary'].items():
        cells = [split, row['images'], row['refs'], row['sentences']]
        cells += [f"{row['skills'].get(skill, 0) / row['sentences']:.0%}" for skill in _SKILLS]
        cells += [row['skills'].get(tag, 0) for tag in tags]
        lines.append(''.join(f'{cell:>10}' for cell in cells))
    return '\n'.join(lines)


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command.

    Args:
        arguments: Command line without the program's name; None stands for this process's.

    Returns:
        The exit status: 0, or 2 for a wrong argument or a folder that is in use.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    sizes = {'train': options.train, 'val': options.val, 'testA': options.testA,
             'testB': options.testB, 'test': options.testA}
    counts = {split: sizes[split] for split in DEFAULT_COUNTS[options.style]}
    try:
        content = write_shaperef(
            options.out, seed=options.seed, style=options.style, counts=counts,
            no_target_share=options.no_target_share, several_share=options.several_share,
            processes=options.processes, overwrite=options.overwrite)
    except (ValueError, FileExistsError) as error:
        print(f'{parser.prog}: error: {error}', file=sys.stderr)
        return 2
    print(f'ShapeRef in {options.out}, style {options.style}, seed {options.seed}')
    print(format_summary(content))
    return 0


if __name__ == '__main__':
    run_tool(main)
