"""The graphs of an exported model, run by onnxruntime."""

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np

from mmris.utils.cpus import usable_cpus

try:
    import onnxruntime
except ImportError as error:
    raise ImportError('Exported models are run by onnxruntime, which cannot be imported '
                      f'({error}). Install it: pip install onnxruntime') from error

#: What a provider is without a choice: the processor.
PROVIDERS = ('CPUExecutionProvider', )
# Errors alone: warnings of onnxruntime are about what its optimiser found in a graph.
_ERRORS = 3
# More end some systems.
_MOST_THREADS = 1024


class Graph:
    """A graph of an exported model.

    Threads may share one.

    Attributes:
        inputs (list[str]): Names of the inputs.
        outputs (list[str]): Names of the requested outputs that the graph has.

    Args:
        path (Path): The ONNX file.
        outputs (Sequence[str]): What it must give.
        inputs (Mapping[str, Sequence]): By the name of what it may take, the shape that it must have; None stands for
            any size, or for any shape.
        optional (Sequence[str]): What it may give in addition. Default: ().
        threads (int, optional): Threads of one run. None: as many as the process may use processors.
        providers (Sequence, optional): Execution providers of onnxruntime, the preferred one first. None: the
            processor.

    Raises:
        ValueError: If onnxruntime has no such provider, or ``threads`` is out of range.
        RuntimeError: If onnxruntime cannot load the graph.
        ValueError: If the graph does not give such outputs, or takes other inputs, or inputs of another shape.
    """

    def __init__(self,
                 path: Path,
                 *,
                 outputs: Sequence[str],
                 inputs: Mapping[str, Optional[Sequence[Optional[int]]]],
                 optional: Sequence[str] = (),
                 threads: Optional[int] = None,
                 providers: Optional[Sequence[Any]] = None) -> None:
        self._session = _load(path, threads, PROVIDERS if providers is None else providers)
        given = [output.name for output in self._session.get_outputs()]
        lacking = [name for name in outputs if name not in given]
        if lacking:
            raise ValueError(f'{path} does not give {", ".join(lacking)}, but {", ".join(given)}: card and graph do '
                             f'not belong together. Export the model again.')
        self.inputs: List[str] = [taken.name for taken in self._session.get_inputs()]
        unknown = [name for name in self.inputs if name not in inputs]
        if unknown:
            raise ValueError(f'{path} takes {", ".join(unknown)}, which this mmris does not have: it has '
                             f'{", ".join(inputs)}. Use the version of mmris that exported the model.')
        for taken in self._session.get_inputs():
            _check_shape(path, taken.name, taken.shape, inputs[taken.name])
        self.outputs: List[str] = [name for name in given if name in (*outputs, *optional)]

    def run(self, values: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """Run the graph.

        Args:
            values (Mapping[str, ndarray]): At least what the graph takes.

        Returns:
            dict[str, ndarray]: What it gives, by name.
        """
        found = self._session.run(self.outputs, {name: values[name] for name in self.inputs})
        return dict(zip(self.outputs, found))


def _check_shape(path: Path, name: str, found: Sequence[Any], wanted: Optional[Sequence[Optional[int]]]) -> None:
    """Check the shape of an input; a size that a graph leaves open is no number."""
    if wanted is None:
        return
    fits = len(found) == len(wanted) and all(
        size is None or not isinstance(own, int) or own == size for own, size in zip(found, wanted))
    if not fits:
        raise ValueError(f'{path} takes {name} of the shape {list(found)}, but the card says {list(wanted)}: card and '
                         f'graph do not belong together. Export the model again.')


def _load(path: Path, threads: Optional[int], providers: Sequence[Any]) -> onnxruntime.InferenceSession:
    if threads is not None and (type(threads) is not int or not 1 <= threads <= _MOST_THREADS):
        raise ValueError(f'threads must be a whole number of 1 to {_MOST_THREADS:,}, but got {threads!r}.')
    if isinstance(providers, str) or not providers:
        raise ValueError(f"providers must be a list, such as ['CPUExecutionProvider'], but got {providers!r}.")
    there = onnxruntime.get_available_providers()
    for provider in providers:
        name = provider if isinstance(provider, str) else provider[0]
        if name not in there:
            raise ValueError(f'providers must be of {", ".join(there)}, which this onnxruntime has, but got {name!r}. '
                             f'For a GPU, install onnxruntime-gpu instead of onnxruntime.')
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS
    options.intra_op_num_threads = usable_cpus() if threads is None else threads
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:
        # Its errors have no base class of their own.
        raise RuntimeError(f'onnxruntime {onnxruntime.__version__} cannot load {path} ({error}). Install a newer '
                           f'onnxruntime, or export the model again.') from error
