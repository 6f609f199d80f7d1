"""A trained model into a folder that others can load."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Union

import safetensors.torch
from mmengine.config import Config
from torch import Tensor, nn

from mmris.apis.model import check_untrained, init_model
from mmris.checkpoints.publishing import halve
from mmris.datasets.pipeline_steps import STEP_TYPES
from mmris.datasets.pipelines import find_tokenizer
from mmris.evaluation import own_metrics
from mmris.tokenizers.words import find_words
from mmris.utils.folders import write_folder
from mmris.utils.resources import RESOURCES, SCOPE
from mmris.version import __version__
from mmris.zoo import find_vocabulary

from .config_check import (
    FORMAT,
    LEFT_OUT,
    MASK_KEYS,
    MODEL_KEYS,
    ImproperConfigError,
    check_config,
    tokenizer_of,
    vocabulary_of,
)
from .folder import CARD, CONFIG, LIBRARY, VOCABULARIES, WEIGHTS, explain_no_model, is_published_file
from .model_card import CardFacts, write_card
from .reading import open_published
from .weights_check import build_without_memory

# What the hub and others put beside a model.
_BESIDE = (CARD, '.gitattributes')


@dataclass(frozen=True)
class ModelToPublish:
    """A model, and what is published of it.

    Attributes:
        content (dict): What ``config.json`` will say.
        weights (dict[str, Tensor]): What ``model.safetensors`` will hold.
        vocabulary (Path, optional): The tokenizer's file. None: it needs none.
    """
    content: Dict[str, Any]
    weights: Dict[str, Tensor]
    vocabulary: Optional[Path]


def prepare(config: Config, checkpoint: Optional[Union[str, Path]], *, origin: str, half: bool = False
            ) -> ModelToPublish:
    """Load a model, and take of it what inference needs.

    Args:
        config (Config): Its config, with resolved pipelines.
        checkpoint (str or Path, optional): As :func:`~mmris.apis.init_model` takes it. None: the model needs none.
        origin (str): The config's name, which is published: ``mmris::...`` for one of the project's.
        half (bool): Whether parameters become float16, which halves the file. Buffers stay as they are. Default: False.

    Returns:
        ModelToPublish: What to publish.

    Raises:
        FileNotFoundError, ValueError, RuntimeError: As :func:`~mmris.apis.init_model`, and for a vocabulary.
        ValueError: If the config has parts that are not of this package, or settings that cannot be published.
        ValueError: If ``half``, and a weight is too large for float16.
    """
    content = describe(config, origin)
    vocabulary = _find_vocabulary_file(config)
    model = init_model(config, checkpoint, device='cpu')
    if checkpoint is None:
        check_untrained(model)
    return ModelToPublish(content, take_weights(model, content['model'], half=half), vocabulary)


def describe(config: Config, origin: str) -> Dict[str, Any]:
    """Make what ``config.json`` says: what inference needs of a config.

    Args:
        config (Config): The config, with resolved pipelines.
        origin (str): Its name.

    Returns:
        dict: Plain values.

    Raises:
        ValueError: If the config has parts that are not of this package, or settings that cannot be published.
    """
    source = config.to_dict()
    model = {key: value for key, value in source['model'].items() if key in MODEL_KEYS}
    content = dict(library_name=LIBRARY, format=FORMAT, mmris_version=__version__, config=origin, model=_plain(model))
    dataset = source['test_dataloader']['dataset']
    if _is_told_by_inputs(source.get('inputs')):
        inputs = source['inputs']
        views = {name: view for name, view in inputs['views'].items() if view is not None}
        content.update(inputs=_plain(dict(tokenizer=inputs['tokenizer'], views=views)))
    else:
        content.update(pipeline=[step for step in _plain(dataset['pipeline']) if _is_kept(step)])
    if dataset.get('instance_masks') is not None:
        masks = dataset['instance_masks']
        content.update(instance_masks={key: masks[key] for key in MASK_KEYS if masks.get(key) is not None})
    metric = next(iter(own_metrics(source.get('test_evaluator'))), {})
    names = ('threshold', 'existence_threshold')
    content.update(thresholds={name: metric[name] for name in names if metric.get(name) is not None})
    try:
        tokenizer = tokenizer_of(content)
        if tokenizer.get('type') in VOCABULARIES:
            tokenizer['vocabulary'] = VOCABULARIES[tokenizer['type']]
        check_config(content)
    except ImproperConfigError as error:
        raise ValueError(f'{origin} cannot be published: {error}. A published model is made of parts of mmris and of '
                         f'plain values, so that nobody has to run its publisher\'s code.') from error
    return content


def take_weights(model: nn.Module, settings: Mapping[str, Any], *, half: bool = False) -> Dict[str, Tensor]:
    """Take the weights that inference needs: not those of distillation branches and losses.

    Args:
        model (nn.Module): The model.
        settings (Mapping): ``model`` of what ``config.json`` says.
        half (bool): Whether parameters become float16. Default: False.

    Returns:
        dict[str, Tensor]: The weights, by name.

    Raises:
        ValueError: If a weight is too large for float16.
    """
    state = model.state_dict()
    empty = build_without_memory(settings, len(state))
    parameters = {name for name, _ in empty.named_parameters()}
    kept = {name: state[name] for name in empty.state_dict()}
    if half:
        kept = {name: halve(name, value) if name in parameters else value for name, value in kept.items()}
    # Two names of one tensor would be refused.
    seen = set()
    for name, value in kept.items():
        where = value.untyped_storage().data_ptr()
        kept[name] = value.contiguous() if where not in seen else value.clone()
        seen.add(where)
    return kept


def write_published(folder: Path, model: ModelToPublish, facts: CardFacts) -> None:
    """Write a published folder, which appears whole or not at all.

    Args:
        folder (Path): The folder. It must be absent, empty, or an earlier published model, which is replaced.
        model (ModelToPublish): What to publish.
        facts (CardFacts): What the model card says.

    Raises:
        FileExistsError: If the folder holds anything else.
        OSError: If it cannot be written.
    """
    check_goal(folder)
    with write_folder(folder.absolute()) as partial:
        text = json.dumps(model.content, indent=2, ensure_ascii=False, allow_nan=False)
        (partial / CONFIG).write_text(f'{text}\n', encoding='utf-8')
        # A single entry: safetensors writes several in an order that changes from one process to the next.
        safetensors.torch.save_file(model.weights, partial / WEIGHTS, metadata=dict(format='pt'))
        # The library makes files that only their owner may read.
        (partial / WEIGHTS).chmod((partial / CONFIG).stat().st_mode)
        name = vocabulary_of(model.content)
        if name is not None:
            shutil.copyfile(model.vocabulary, partial / name)
        (partial / CARD).write_text(write_card(facts, model.content, model.weights), encoding='utf-8')
        # As readers will find it.
        open_published(partial)


def check_goal(folder: Path) -> None:
    """Check that a published folder may be written, before the work that it is the result of.

    Args:
        folder (Path): The folder.

    Raises:
        FileExistsError: If it is a file, or holds anything but a published model.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise FileExistsError(f'{folder} is a file, but a folder is to be written. Name another.')
    there = sorted(path.name for path in folder.iterdir())
    problem = explain_no_model(folder) if there else ''
    foreign = [name for name in there if name not in _BESIDE and not is_published_file(name)]
    if problem or foreign:
        raise FileExistsError(f'{folder} is not empty, and would be replaced, but it is not a published model alone: '
                              f'it has {(foreign or there)[0]}. Name another folder, or empty this one.')


def name_config(path: Union[str, Path]) -> str:
    """Name a config as a published model does: one of the project's as ``mmris::...``, another by its file's name.

    Args:
        path (str or Path): The file.
    """
    resolved, configs = Path(path).resolve(), (RESOURCES / 'configs').resolve()
    if configs in resolved.parents:
        return f'{SCOPE}::{resolved.relative_to(configs).as_posix()}'
    return resolved.name


def _is_told_by_inputs(inputs: Optional[Mapping[str, Any]]) -> bool:
    """Whether a block ``inputs`` tells all of inference without ``steps`` of its own."""
    if inputs is None:
        return False
    steps = (inputs.get('steps') or {}).items()
    loading = set(STEP_TYPES) - {'tokenize'}
    return all(step is None or step.get('phase') == 'train' or name in loading for name, step in steps)


def _is_kept(step: Mapping[str, Any]) -> bool:
    """Whether a step of a pipeline is part of inference, which loads and packs by itself."""
    return step['type'] == 'Tokenize' or step['type'] not in STEP_TYPES.values()


def _find_vocabulary_file(config: Config) -> Optional[Path]:
    tokenizer = find_tokenizer(config)
    if 'vocabulary' not in tokenizer:
        return None
    given = tokenizer['vocabulary']
    return find_words(given) if _short(tokenizer['type']) == 'WordTokenizer' else find_vocabulary(given)


def _plain(value: Any) -> Any:
    """Values of a config as JSON has them, without what is left out of published models."""
    if isinstance(value, Mapping):
        kept = {key: inner for key, inner in value.items() if key not in LEFT_OUT}
        return {key: _short(inner) if key == 'type' else _plain(inner) for key, inner in kept.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _short(kind: Any) -> Any:
    """The name of a type without our own scope, whether it is given as a name or as the class."""
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', kind)
    return name.removeprefix(f'{SCOPE}.') if isinstance(name, str) else name
