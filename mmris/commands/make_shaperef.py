"""The work of ``mmris make_shaperef``."""

import argparse
from typing import Any, Dict

from mmris.datasets.shaperef import DEFAULT_COUNTS, write_shaperef

_SKILLS = ('shape', 'colour', 'size', 'place', 'relation')
_TAGS = ('near miss', 'absent', 'several')


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


def main(options: argparse.Namespace) -> None:
    sizes = {'train': options.train, 'val': options.val, 'testA': options.testA,
             'testB': options.testB, 'test': options.testA}
    counts = {split: sizes[split] for split in DEFAULT_COUNTS[options.style]}
    content = write_shaperef(
        options.out, seed=options.seed, style=options.style, counts=counts,
        no_target_share=options.no_target_share, several_share=options.several_share,
        processes=options.processes, overwrite=options.overwrite)
    print(f'ShapeRef in {options.out}, style {options.style}, seed {options.seed}')
    print(format_summary(content))
