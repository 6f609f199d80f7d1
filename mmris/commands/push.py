"""The work of ``mmris push``."""

import argparse
import re
import tempfile
from pathlib import Path
from typing import Optional

from mmengine.config import Config

from mmris.hub.folder import is_repository, means_repository
from mmris.hub.model_card import CardFacts, read_scores
from mmris.hub.reading import open_published
from mmris.hub.uploading import check_repository, upload
from mmris.hub.writing import ModelToPublish, check_goal, name_config, prepare, write_published
from mmris.utils.configs import check_output, choose_checkpoint, read_config
from mmris.version import __version__
from mmris.zoo import find_model
from mmris.zoo.own import HUB

_LICENCE = re.compile(r'[a-z0-9][a-z0-9.+-]*')
_DATASET = re.compile(r'[A-Za-z0-9][\w.+-]*(/[A-Za-z0-9][\w.-]*)?')


def main(arguments: argparse.Namespace) -> None:
    repository = find_repository(arguments.target)
    _check_options(arguments, repository)
    if repository is None:
        check_output(arguments.target, folder=True)
        check_goal(Path(arguments.target))
    else:
        check_repository(repository, private=arguments.private)
    scores = None if arguments.scores is None else read_scores(Path(arguments.scores))
    arguments.checkpoint = choose_checkpoint(arguments)
    config = read_config(arguments)
    facts = CardFacts(
        name=Path(arguments.target).resolve().name if repository is None else repository.rpartition('/')[2],
        source=arguments.target if repository is None else repository,
        scores=scores,
        scored_on=name_data(arguments, config) if scores else '',
        licence=arguments.licence,
        datasets=tuple(arguments.trained_on))
    model = prepare(config, arguments.checkpoint, origin=find_origin_name(arguments, config), half=arguments.half)
    if repository is None:
        write_published(Path(arguments.target), model, facts)
        print(describe(model, Path(arguments.target)))
    else:
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / facts.name
            write_published(folder, model, facts)
            message = arguments.message or f'Publish with mmris {__version__}'
            address = upload(folder, repository, message=message, private=arguments.private)
            print(describe(model, folder))
        print(f'uploaded to {address}')
    print(f'Use it: Predictor.from_pretrained({facts.source!r})')


def find_repository(target: str) -> Optional[str]:
    """Find which repository of the hub a target is; None if it is a folder.

    Args:
        target (str): What the user gave.

    Returns:
        str, optional: ``'user/name'``.

    Raises:
        ValueError: If it begins with ``hf-hub:``, and no repository can have that name.
    """
    name = target.removeprefix(HUB)
    if name != target and not is_repository(name):
        raise ValueError(f'{name!r} is not the name of a repository: write user/name, of letters, digits, "-", "_" and '
                         f'".", with no more than 96 characters each.')
    return name if name != target or means_repository(name) else None


def name_data(arguments: argparse.Namespace, config: Config) -> str:
    """Name the data that scores are of.

    Args:
        arguments (Namespace): The command line.
        config (Config): The config.

    Returns:
        str: What was given, or the name of the data folder.

    Raises:
        ValueError: If neither tells.
    """
    root = config.test_dataloader.dataset.get('data_root')
    if arguments.scored_on is None and not root:
        raise ValueError(f'The config does not say which data {arguments.scores} is of: name it, --scored-on NAME.')
    return arguments.scored_on or Path(root).name


def find_origin_name(arguments: argparse.Namespace, config: Config) -> str:
    """Name the config that is published; of a model that was published before, the one that it names.

    Args:
        arguments (Namespace): The command line.
        config (Config): The config.
    """
    named = find_model(arguments.config, hub=True)
    if named is None or named.folder is None:
        return name_config(config.filename)
    return open_published(Path(named.folder)).content['config']


def describe(model: ModelToPublish, folder: Path) -> str:
    """List the files written."""
    lines = [f'{path.name}: {path.stat().st_size:,} bytes' for path in sorted(folder.iterdir())]
    return '\n'.join([f'config: {model.content["config"]}', *lines])


def _check_options(arguments: argparse.Namespace, repository: Optional[str]) -> None:
    if repository is None:
        for option, given in (('--private', arguments.private), ('--message', arguments.message)):
            if given:
                raise ValueError(f'{option} is about a repository of the hub, but {arguments.target} is a folder. '
                                 f'Leave it out, or write hf-hub:user/name.')
    if arguments.scored_on is not None and arguments.scores is None:
        raise ValueError('--scored-on names the data of scores: give them too, --scores FILE.')
    if arguments.licence is not None and not _LICENCE.fullmatch(arguments.licence):
        raise ValueError(f'--licence is {arguments.licence!r}, but the hub names licences like apache-2.0: '
                         f'https://huggingface.co/docs/hub/repositories-licenses lists them.')
    wrong = next((name for name in arguments.trained_on if not _DATASET.fullmatch(name)), None)
    if wrong is not None:
        raise ValueError(f'--trained-on has {wrong!r}, but the hub names data like refcoco or user/data.')
