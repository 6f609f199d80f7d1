"""What the card of an export says of a model beside its graphs: how images and sentences become its inputs."""

import inspect
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

from mmris.datasets.pipeline_steps import MAIN, STEP_TYPES
from mmris.registry import TRANSFORMS
from mmris.runtime.card import GEOMETRIES
from mmris.utils import type_name

# Ends of the names of vocabularies, the longer one of two first.
_SUFFIXES = ('.txt.gz', '.txt', '.spm', '.model')


def describe_views(pipeline: Sequence[Mapping[str, Any]]) -> List[Dict[str, Any]]:
    """Describe how an image becomes the views that a model looks at.

    Args:
        pipeline (Sequence[Mapping]): The test pipeline of the model's config.

    Returns:
        list[dict]: For each view its ``name`` and its ``geometry``, a ``type`` and its arguments. The main one first.

    Raises:
        ValueError: If the pipeline has a step that an exported model would lack.
    """
    views = {}
    for step in pipeline:
        kind = type_name(step)
        if kind in GEOMETRIES:
            views[step.get('view', MAIN)] = dict(type=kind, **_arguments(step))
        elif kind not in STEP_TYPES.values():
            raise ValueError(
                f'The test pipeline has the step {kind}, which changes what the model sees, but exported models know '
                f'the geometries {", ".join(GEOMETRIES)} alone. Leave it out for the export: '
                f'inputs.steps.NAME=None.')
    return [dict(name=name, geometry=views[name]) for name in (MAIN, *(view for view in views if view != MAIN))]


def _arguments(step: Mapping[str, Any]) -> Dict[str, Any]:
    """All arguments of a geometry, the defaults among them, as JSON has them."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(GEOMETRIES[type_name(step)]).parameters.items()
        if parameter.default is not parameter.empty
    }
    given = {name: value for name, value in step.items() if name not in ('type', 'view')}
    arguments = {**defaults, **given, 'size': list(TRANSFORMS.build(step).size)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in arguments.items()}


def describe_tokenizer(config: Mapping[str, Any], vocabulary: Path) -> Dict[str, Any]:
    """Describe how sentences become token ids.

    Args:
        config (Mapping): The tokenizer's config.
        vocabulary (Path): The file of its vocabulary.

    Returns:
        dict: Its ``type`` and arguments, of which ``vocabulary`` is the name that the file is to have in the export.
    """
    ending = next((suffix for suffix in _SUFFIXES if vocabulary.name.endswith(suffix)), vocabulary.suffix)
    arguments = {key: value for key, value in config.items() if key not in ('type', 'vocabulary')}
    return dict(type=type_name(config), **arguments, vocabulary=f'vocabulary{ending}')
