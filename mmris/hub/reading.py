"""A published folder, checked and ready to be loaded."""

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional

from mmengine.config import Config

from mmris.evaluation.config_checks import own_metrics
from mmris.utils.resources import RESOURCES, SCOPE

from .config_check import ImproperConfigError, check_config, tokenizer_of, vocabulary_of
from .folder import CONFIG, MOST_OF_CONFIG, MOST_OF_VOCABULARY, explain_no_model, find_plain_file, read_plain_json
from .weights_check import check_weights, find_weight_files


@dataclass(frozen=True)
class PublishedModel:
    """What a published folder holds.

    Attributes:
        folder (Path): The folder.
        content (dict): Its config, as checked.
        weights (Path): Its weights, or the index of their files.
        vocabulary (Path, optional): The tokenizer's file. None: the tokenizer needs none.
    """
    folder: Path
    content: Dict[str, Any]
    weights: Path
    vocabulary: Optional[Path]

    def config(self) -> Config:
        """Make the config of inference, as :class:`~mmris.apis.Predictor` takes it.

        Returns:
            Config: The config.
        """
        content = deepcopy(self.content)
        if self.vocabulary is not None:
            tokenizer_of(content)['vocabulary'] = str(self.vocabulary)
        masks, dataset = content.get('instance_masks'), {}
        inputs = content.get('inputs')
        if inputs is None:
            dataset.update(pipeline=content['pipeline'])
        if masks is not None:
            if inputs is not None:
                inputs = dict(inputs, instance_masks=masks)
            dataset.update(instance_masks=masks)
        return Config(dict(
            default_scope=SCOPE,
            model=content['model'],
            inputs=inputs,
            test_dataloader=dict(dataset=dataset),
            test_evaluator=dict(type='ReferringIoUMetric', **content.get('thresholds', {}))))

    def data_config(self) -> Config:
        """Make a config that also says which data the model is scored on: those of the project's config that it is of.

        Returns:
            Config: :meth:`config`, with the data of that config if it is one of the project's.
        """
        config, origin = self.config(), find_origin(self.content['config'])
        if origin is None:
            return config
        whole = Config.fromfile(origin)
        if config.inputs is None or whole.get('inputs') is None:
            return config
        inputs = config.inputs
        if inputs.get('instance_masks') is not None:
            inputs.instance_masks = {**(whole.inputs.get('instance_masks') or {}), **inputs.instance_masks}
        whole.model, whole.inputs = config.model, inputs
        for metric in own_metrics(whole.get('test_evaluator')):
            metric.update(self.content.get('thresholds', {}))
        return whole


def open_published(folder: Path) -> PublishedModel:
    """Read a published folder. Nothing in it is run, and no memory is taken for its weights.

    Args:
        folder (Path): The folder.

    Returns:
        PublishedModel: What it holds.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If it is not a published folder, or something in it is not what it should be; the message names the
            file and the place in it.
    """
    problem = explain_no_model(folder)
    if problem:
        raise ValueError(problem)
    content = read_plain_json(folder, CONFIG, MOST_OF_CONFIG)
    try:
        check_config(content)
    except ImproperConfigError as error:
        raise ValueError(f'{folder / CONFIG}: {error}. Nothing of the file was run. Ask the publisher to write it '
                         f'again with `mmris push`; do not use the model until then.') from error
    name = vocabulary_of(content)
    vocabulary = None if name is None else find_plain_file(folder, name, MOST_OF_VOCABULARY)
    weights, files = find_weight_files(folder)
    check_weights(folder / CONFIG, content['model'], files)
    return PublishedModel(folder, content, weights, vocabulary)


def find_origin(name: str) -> Optional[Path]:
    """Find the project's config that a published model says it is of.

    Args:
        name (str): ``config`` of its config.

    Returns:
        Path, optional: The file. None if it is of a config of the publisher's.
    """
    scope, separator, inside = name.partition('::')
    folder = RESOURCES.resolve() / 'configs'
    path = folder / inside
    known = separator and scope == SCOPE and path.suffix == '.py' and path.is_file()
    return path if known and folder.resolve() in path.resolve().parents else None
