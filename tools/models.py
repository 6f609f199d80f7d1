"""List the models that have a name, show one, or check its weights.

    mmris models
    mmris models 'clip-*'
    mmris models clip-vit-b-16
    mmris models --check clip-vit-b-16

The check downloads the weights if they are not here, lists each key that differs from what the model's config builds,
and predicts on a picture of the package. It ends with status 1 if anything differs.
"""

from mmris.command_line import run_command
from mmris.command_line.parser import CommandParser, suggest
from mmris.zoo import list_models


def add_arguments(parser: CommandParser) -> None:
    parser.epilog = ('"test images seen": whether the training saw images of a val or test split of RefCOCO, RefCOCO+ '
                     'or RefCOCOg.')
    names = list_models()
    suggest(
        parser.add_argument('name', nargs='?', default='*', help='a name, or a pattern such as "*ris*" (default: all)'),
        names)
    suggest(
        parser.add_argument(
            '--check', metavar='NAME',
            help='fetch the weights of this model, compare all keys, and predict on a picture'), names)


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
