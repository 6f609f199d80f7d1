"""The work of ``mmris models``."""

import argparse
from typing import List, Tuple

from mmris.utils.tables import markdown_table
from mmris.zoo import ZooModel, get_model, list_models
from mmris.zoo.fetching import size_in_words

HEADING = ('name', 'kind', 'size', 'licence', 'trained on', 'test images seen', 'scores')


def main(arguments: argparse.Namespace) -> int:
    if arguments.check is not None:
        return check(get_model(arguments.check))
    names = list_models(arguments.name)
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
