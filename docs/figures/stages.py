"""Draw the stages of each method into configs/METHOD/stages.svg: ``python docs/figures/stages.py [METHOD ...]``.

What a figure names is read from the model that a config builds: run this again after a change of one.
"""

import argparse
from pathlib import Path

from stage_diagrams import DIAGRAMS
from stage_drawing import draw_diagram
from stage_models import CONFIGS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('methods', nargs='*', metavar='METHOD', help=f'Of {", ".join(DIAGRAMS)}. Default: all.')
    parser.add_argument('--out', type=Path, metavar='FOLDER', help='Write METHOD.svg into this folder instead.')
    arguments = parser.parse_args()
    unknown = [name for name in arguments.methods if name not in DIAGRAMS]
    if unknown:
        parser.error(f'There is no figure of {", ".join(unknown)}. There are: {", ".join(DIAGRAMS)}.')
    for name in arguments.methods or DIAGRAMS:
        path = CONFIGS / name / 'stages.svg' if arguments.out is None else arguments.out / f'{name}.svg'
        draw_diagram(DIAGRAMS[name](), path)
        print(path)


if __name__ == '__main__':
    main()
