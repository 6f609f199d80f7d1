"""Arguments that several commands share."""

import argparse

from mmris.names import DTYPES, PRECISIONS, TRACKERS
from mmris.utils.arguments import at_least, file_or_none, key_value, probability, sentence
from mmris.zoo import MODEL, MODELS

from .parser import CommandParser, suggest

# Where --cache-features keeps features.
FEATURES = 'work_dirs/features'
_CONFIG = 'config file, mmris::FOLDER/NAME.py for one of the project\'s, or a name of `mmris models`'
_CHECKPOINT = 'checkpoint file, or a name of `mmris models`; none, if the config trains nothing'


def add_config_arguments(parser: argparse.ArgumentParser, name: str = 'config') -> None:
    """Add ``config`` (or ``--config``) and the options that change it: data of another place, or any value."""
    parser.add_argument(name, help=_CONFIG)
    add_data_arguments(parser)
    add_option_argument(parser)


def add_option_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``."""
    parser.add_argument(
        '--cfg-options', nargs='+', action='extend', type=key_value, metavar='KEY=VALUE', help='change values of the '
        'config, such as train_dataloader.batch_size=8; a key that nothing is known to read is an error unless + '
        'stands before it')


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that name data of another place."""
    parser.add_argument(
        '--data-root',
        help='folder of the data set, for all splits; where a config mixes sets, the folder that holds them (default: '
        'the config\'s)')
    parser.add_argument('--refs-file', help='refs file in that folder, such as "refs(unc).p" (default: the config\'s)')
    parser.add_argument('--image-folder', help='folder of the images, below --data-root (default: the config\'s)')


def add_model_arguments(parser: CommandParser, *, after: str = '', needs_checkpoint: bool = True) -> None:
    """Add a trained model, as ``CONFIG CHECKPOINT`` or ``--model NAME``, and the options that change its config.

    Sets ``config`` and ``checkpoint`` either way; see :func:`mmris.utils.configs.choose_checkpoint`.

    Args:
        parser (CommandParser): Where to.
        after (str): Positional arguments that follow, for the usage. Default: ''.
        needs_checkpoint (bool): Whether ``CHECKPOINT`` must follow ``CONFIG``. Default: True.
    """
    checkpoint = 'CHECKPOINT' if needs_checkpoint else '[CHECKPOINT]'
    ways = ('--model NAME', f'CONFIG {checkpoint}')
    parser.usage = '\n       '.join(' '.join(f'%(prog)s [options] {way} {after}'.split()) for way in ways)
    if not parser.by_name:
        parser.add_argument('config', metavar='CONFIG', help=_CONFIG)
        parser.add_argument(
            'checkpoint', metavar='CHECKPOINT', type=file_or_none, nargs=None if needs_checkpoint else '?',
            help=_CHECKPOINT)
    add_model_name(parser)
    parser.set_defaults(checkpoint=None)
    add_data_arguments(parser)
    add_option_argument(parser)


def add_optional_model_arguments(parser: CommandParser) -> None:
    """Add a trained model that may be left out: ``--model NAME``, or ``--config`` and ``--checkpoint``."""
    which = parser.add_mutually_exclusive_group()
    add_model_name(which)
    which.add_argument('--config', help=_CONFIG)
    parser.add_argument(
        '--checkpoint', type=file_or_none,
        help='checkpoint file (may be left out, or none, where the config trains nothing)')
    add_data_arguments(parser)
    add_option_argument(parser)


def add_model_name(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``, which sets ``config``."""
    suggest(
        parser.add_argument(
            '--model', dest='config', metavar='NAME', help='name of `mmris models`, or folder or hub repository of a '
            'published model, used in place of CONFIG and CHECKPOINT; or a config that trains nothing'),
        (model.name for model in MODELS if model.kind == MODEL))


def add_prediction_arguments(parser: argparse.ArgumentParser) -> None:
    """Add how to predict, for :func:`mmris.utils.configs.prediction_settings`."""
    parser.add_argument(
        '--threshold', type=probability, help='probability above which a pixel belongs to a mask '
        '(default: that of the config\'s scores)')
    parser.add_argument(
        '--existence-threshold', type=probability, help='a model with an existence head answers that nothing fits if '
        'it is less sure than this that something does (default: that of the config\'s scores)')
    parser.add_argument('--device', help='such as cpu or cuda:0 (default: a GPU where there is one)')
    parser.add_argument(
        '--dtype', choices=DTYPES, default='float32', help='type of the weights; the last two need half the memory '
        '(default: %(default)s)')


def add_compile_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--compile``."""
    parser.add_argument(
        '--compile', action='store_true', help='compile the stages of the model first, which takes a minute or more: '
        'faster where many images follow')


def add_image_arguments(parser: CommandParser, sentences: str) -> None:
    """Add a model, an image, sentences, instance masks, and how to predict.

    Args:
        parser (CommandParser): Where to.
        sentences (str): What the command does with sentences.
    """
    add_model_arguments(parser, after='IMAGE SENTENCE ...')
    parser.add_argument('image', metavar='IMAGE', help='image file')
    parser.add_argument(
        'sentences', nargs='+', metavar='SENTENCE', type=sentence, help=f'{sentences}; quote each sentence')
    add_mask_arguments(parser)
    add_prediction_arguments(parser)


def add_mask_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--masks`` and the options that say which of them: see :func:`mmris.apis.mask_files.masks_of_image`."""
    parser.add_argument(
        '--masks',
        help='COCO results file with instance masks of the image, for configs that take them (docs/instance_masks.md; '
        'default: nothing was found)')
    which = parser.add_mutually_exclusive_group()
    which.add_argument('--image-id', help='id that the image has in it (default: that of its only image)')
    which.add_argument(
        '--masks-images', help='COCO annotation file that the masks were made with: tells the id by the image\'s name')
    parser.add_argument(
        '--masks-min-score', type=float, help='less sure masks are left out (default: as in the config\'s data set)')


def add_launcher_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--launcher``, and what launchers pass on their own."""
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what a training may be given beside its config."""
    parser.add_argument(
        '--resume',
        nargs='?',
        const='last',
        metavar='CHECKPOINT',
        help='go on from the last checkpoint in the work folder, or from this one; begins anew where there is none')
    parser.add_argument(
        '--seed', type=at_least(0), help='seed of weights, data order and masks (default: the config\'s)')
    parser.add_argument(
        '--amp',
        nargs='?',
        const='float16',
        choices=PRECISIONS,
        help='train in mixed precision: float16, the default, needs a GPU; bfloat16 does not')
    parser.add_argument(
        '--accumulate', type=int, metavar='N', help='add up the gradients of N batches for each step of the optimiser')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the rate by the samples of a step, over all processes and accumulated batches, to the config\'s '
        'base_batch_size')
    add_compile_argument(parser)
    parser.add_argument(
        '--activation-checkpointing',
        action='store_true',
        help='compute the encoder\'s activations again in the backward pass: less memory, more time')
    add_cache_argument(parser)
    parser.add_argument(
        '--ema',
        nargs='?',
        const=1e-4,
        type=float,
        metavar='MOMENTUM',
        help='evaluate and save a moving average of the weights: of the last tenth of the steps so far, and of no more '
        'than about 1 / MOMENTUM steps (default: 1e-4)')
    parser.add_argument(
        '--exclude-frozen',
        action='store_true',
        help='save checkpoints without the frozen parts that model.encoder.pretrained fills; to load one, it must name '
        'the same weights')
    parser.add_argument(
        '--track', nargs='+', choices=TRACKERS, default=[], help='also log to these (see docs/analysis.md)')


def add_cache_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--cache-features``."""
    parser.add_argument(
        '--cache-features',
        nargs='?',
        const=FEATURES,
        metavar='FOLDER',
        help='keep what frozen image towers compute of each image, in this folder (default: %(const)s), and compute it '
        'once')
