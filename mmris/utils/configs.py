"""What commands make of their shared arguments: a config, and what is changed of it; checks of files."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Union

from mmengine.config import Config, DictAction

from mmris.checkpoints.files import find_weights_in
from mmris.datasets.pipelines import resolve_pipelines
from mmris.zoo import MODEL, check_kind, find_model, suggest

from .config_keys import merge_options
from .pretrained import forget_pretrained
from .resources import read_named_config
from .terminal import one_line
from .text import shorten

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def data_options(arguments: argparse.Namespace) -> List[str]:
    """What of :func:`mmris.command_line.arguments.add_data_arguments` was given, as options to pass on."""
    given = {name: getattr(arguments, name.replace('-', '_')) for name in ('data-root', 'refs-file', 'image-folder')}
    return [part for name, value in given.items() if value is not None for part in (f'--{name}', value)]


def read_config(arguments: argparse.Namespace) -> Config:
    """Read the config of a command line and change it as the options say.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If one refs file is named for a data set of several.
        ValueError: If an option sets what nothing reads (see :func:`merge_options`).
    """
    config = read_named_config(arguments.config, data=True, advice=suggest(arguments.config))
    changes = dict(
        data_root=arguments.data_root,
        refs_file=arguments.refs_file,
        data_prefix=arguments.image_folder and dict(img_path=arguments.image_folder))
    for name in LOADERS:
        loader = config.get(name)
        if loader is None:
            continue
        if arguments.refs_file is not None and 'datasets' in loader.dataset:
            raise ValueError(
                f'--refs-file names one refs file, but {name} of {arguments.config} mixes '
                f'{", ".join(loader.dataset.datasets)}. Name each of theirs: '
                f'--cfg-options {name}.dataset.datasets.{next(iter(loader.dataset.datasets))}.refs_file=...')
        loader.dataset.update({name: value for name, value in changes.items() if value})
    if arguments.cfg_options is not None:
        merge_options(config, _parse_options(arguments.cfg_options))
    _begin_from_whole_model(config)
    resolve_pipelines(config)
    return config


def check_data(config: Config, name: str) -> None:
    """Check that a config says which data a model is scored on, before any work.

    Args:
        config (Config): What :func:`read_config` gave.
        name (str): What the user calls it.

    Raises:
        ValueError: If it does not: it is of a published model whose own config is not one of the project's.
    """
    if 'type' not in ((config.get('test_dataloader') or {}).get('dataset') or {}):
        raise ValueError(f'{name} does not say which data it is scored on. Give a config that does, and the model as '
                         f'its checkpoint: CONFIG {name}.')


def _parse_options(given: Sequence[str]) -> Dict[str, Any]:
    """Read ``KEY=VALUE`` as MMEngine's command lines do."""
    options = argparse.Namespace()
    DictAction([], 'values')(None, options, given)
    return options.values


def _begin_from_whole_model(config: Config) -> None:
    """Have a training that begins from a published whole model need no other weights, and use its vocabulary."""
    named = find_model(config.get('load_from'))
    if named is None or named.kind != MODEL or named.published is None or named.weights is None:
        return
    forget_pretrained(config.model)
    if named.vocabulary is not None and 'vocabulary' in config.inputs.tokenizer:
        config.inputs.tokenizer.vocabulary = named.name


def prediction_settings(arguments: argparse.Namespace) -> Dict[str, Any]:
    """How to predict, as :class:`~mmris.apis.Predictor` takes it, from what
    :func:`mmris.command_line.arguments.add_prediction_arguments` added.
    """
    settings = {name: getattr(arguments, name) for name in ('threshold', 'existence_threshold', 'device', 'dtype')}
    # Not of commands that look into a model.
    return dict(settings, compile=getattr(arguments, 'compile', False))


def name_work_dir(config: Config, config_path: str, work_dir: Optional[str]) -> None:
    """Set ``config.work_dir``: as given, as the config says, or ``work_dirs/<config name>``.

    Raises:
        ValueError: If its name holds bytes that are no text: MMEngine writes it into files.
    """
    if work_dir is not None:
        config.work_dir = work_dir
    elif config.get('work_dir') is None:
        config.work_dir = str(Path('work_dirs') / Path(config_path).stem)
    check_text('work folder', config.work_dir)


def check_text(what: str, name: str) -> None:
    """Check that a name can be written on one line of a text file.

    Args:
        what (str): What it is the name of, for the message.
        name (str): The name.

    Raises:
        ValueError: If it holds control characters, or bytes that are not in the encoding of the locale.
    """
    if one_line(name) != name:
        raise ValueError(
            f'The name of the {what}, {shorten(name)}, holds line breaks, control characters or bytes that are not '
            f'text in the encoding of the locale ({sys.getfilesystemencoding()}). Name another.')


def check_inputs(**files: Optional[Union[str, Path]]) -> None:
    """Check that the files given on a command line are there.

    Args:
        **files (str or Path, optional): Paths, by what each is called in the message. None: not given.

    Raises:
        FileNotFoundError: If one is not there.
    """
    for name, path in files.items():
        if path is not None and not Path(path).is_file():
            raise FileNotFoundError(f'There is no {name} {path}.')


def choose_checkpoint(arguments: argparse.Namespace) -> Optional[str]:
    """The checkpoint of a command line: what was given, or the weights of the zoo's model that the config names.

    Args:
        arguments (Namespace): With ``config`` and ``checkpoint``.

    Returns:
        str, optional: A file, or a name in the zoo. None: the config needs none.

    Raises:
        FileNotFoundError, ValueError: See :func:`check_checkpoint`.
    """
    named = None if arguments.config is None else find_model(arguments.config, hub=True)
    if arguments.checkpoint is None and named is not None and named.weights is not None:
        return named.name
    check_checkpoint(arguments.checkpoint)
    return arguments.checkpoint


def check_checkpoint(path: Optional[str], kind: Optional[str] = 'model', name: str = 'checkpoint') -> None:
    """Check that a checkpoint of a command line is a file, a folder of weights, or a name in the zoo.

    Nothing is downloaded yet.

    Args:
        path (str, optional): What was given. None: nothing.
        kind (str, optional): What a name must be of, ``'model'`` or ``'towers'``; None for either. Defaults to
            ``'model'``.
        name (str): What it is called in the message. Defaults to ``'checkpoint'``.

    Raises:
        FileNotFoundError: If there is no such file or name.
        ValueError: If the name is of the other kind, or has no weights of its own.
    """
    model = None if path is None else find_model(path)
    if model is not None:
        check_kind(model, kind)
    elif path is not None and not Path(path).is_file():
        if Path(path).is_dir() and find_weights_in(Path(path)) is not None:
            return
        raise FileNotFoundError(f'There is no {name} {path}.{suggest(path)}')


def check_output(path: Optional[Union[str, Path]], suffixes: Sequence[str] = (), *, folder: bool = False) -> None:
    """Check that a result can be written where a command line says, before the work that it is the result of.

    Args:
        path (str or Path, optional): The file to write, whose missing parent folders are made. None: nothing is
            written.
        suffixes (Sequence[str]): What it may end with, such as ``.png``, in upper or lower case. Defaults to (): with
            anything.
        folder (bool): Whether ``path`` is a folder to write files to instead. Defaults to False.

    Raises:
        IsADirectoryError: If a file is to be written and there is a folder of that name.
        ValueError: If the file ends otherwise.
        NotADirectoryError: If the folder, or one that the path needs, is a file.
        PermissionError: If nothing may be written there.
    """
    if path is None:
        return
    path = Path(path)
    if not folder and path.is_dir():
        raise IsADirectoryError(f'{path} is a folder, but a file is to be written: name one, such as {path / "NAME"}.')
    if suffixes and path.suffix.lower() not in suffixes:
        raise ValueError(f'{path} must end with one of {", ".join(suffixes)}, which says what is written.')
    there = path if folder else path.parent
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        raise NotADirectoryError(f'{path} cannot be written: {there} is a file, no folder. Name another place.')
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f'{path} cannot be written: nothing may be written to {there}. Name another place.')
