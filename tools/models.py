"""List the models that can be used by name, show one, or check its weights.

    python -m mmris models
    python -m mmris models 'clip-*'
    python -m mmris models clip-vit-b-16
    python -m mmris models --check clip-vit-b-16

The check downloads the weights if they are not here, lists each key that differs from what the model's config builds,
and predicts on a picture of the package. It ends with status 1 if anything differs.
"""

import argparse
from typing import List, Tuple

import mmris
from mmris.utils.tables import markdown_table
from mmris.utils.tool import run_tool
from mmris.zoo import ZooModel, get_model
from mmris.zoo.fetching import size_in_words

HEADING = ('name', 'kind', 'size', 'licence', 'trained on', 'test images seen', 'scores')


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='List the models that can be used by name, show one, or check its weights.',
        epilog='"test images seen": whether the training saw images of a val or test split of RefCOCO, RefCOCO+ or '
        'RefCOCOg.')
    parser.add_argument('name', nargs='?', default='*', help='a name, or a pattern such as "*ris*" (default: all)')
    parser.add_argument(
        '--check', metavar='NAME', help='fetch the weights of this model, compare all keys, and predict on a picture')
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    if arguments.check is not None:
        return check(get_model(arguments.check))
    names = mmris.list_models(arguments.name)
    if not names or names == [arguments.name]:
        print(describe(get_model(arguments.name)))
    else:
        print(markdown_table(HEADING, [summarise(get_model(name)) for name in names], numbers=False))
    return 0


def summarise(model: ZooModel) -> Tuple[str, ...]:
    """A row of the table."""
    return (model.name, model.kind, size(model), model.licence, model.trained_on, model.test_images,
            '; '.join(map(str, model.scores)) or '-')


def size(model: ZooModel) -> str:
    """How much there is to fetch."""
    return f'as {model.towers}' if model.weights is None else size_in_words(model.weights)


def describe(model: ZooModel) -> str:
    """All that is known of a model."""
    lines = [
        ('name', model.name),
        ('kind', model.kind),
        ('config', model.config if model.kind == 'model' else f'{model.config}, for one'),
        ('weights', f'as {model.towers}' if model.weights is None else model.weights.place),
        ('size', size(model)),
        ('SHA-256', 'not known' if model.weights is None else model.weights.sha256 or 'not known'),
        ('vocabulary', model.vocabulary and model.vocabulary.place),
        ('licence', model.licence),
        ('trained on', model.trained_on),
        ('test images seen', model.test_images),
        ('scores', '; '.join(map(str, model.scores))),
        ('more', model.link),
        ('note', model.note),
    ]
    return '\n'.join(f'{f"{name}:":<18}{value}' for name, value in lines if value)


def check(model: ZooModel) -> int:
    """Check a model's weights; the exit status."""
    from mmris.zoo.checking import EXAMPLE, EXAMPLE_SENTENCE, check

    found = check(model)
    print(f'weights: {found.path}')
    differing: List[Tuple[str, Tuple[str, ...]]] = [
        ('the file lacks', found.misfits.missing),
        ('the model lacks', found.misfits.leftover),
        ('another shape', found.misfits.shapes),
        ('another type', found.misfits.kinds),
    ]
    for what, keys in differing:
        for key in keys:
            print(f'{what}: {key}')
    if found.answer is None:
        print(f'{model.name} does not fit {model.config}: {sum(len(keys) for _, keys in differing)} keys differ.')
        return 1
    print(f'keys: all as {model.config} expects')
    answer = found.answer
    print(f'"{EXAMPLE_SENTENCE}" on {EXAMPLE}: probabilities {answer.lowest:.3f} to {answer.highest:.3f}, mask '
          f'{100 * answer.share:.1f}% of the image, IoU with the truth {100 * answer.iou:.1f}%')
    if model.kind == 'towers':
        print(f'Only the towers are loaded. The rest of {model.config} is random, so the mask means nothing.')
    elif not found.passed:
        print(f'The IoU should be at least {100 * found.least_iou:.0f}%: the weights are not what they should be.')
    return 0 if found.passed else 1


if __name__ == '__main__':
    run_tool(main)
