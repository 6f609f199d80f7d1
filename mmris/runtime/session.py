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


class Graph:
    """A graph of an exported model.

    Threads may share one.

    Attributes:
        inputs (list[str]): What it takes.
        outputs (list[str]): What it gives, of what is asked for.

    Args:
        path (Path): The ONNX file.
        outputs (Sequence[str]): What it must give.
        inputs (Sequence[str]): What it may take.
        optional (Sequence[str]): What it may give in addition. Default: ().
        threads (int, optional): Threads of one run. None: as many as the process may use processors.
        providers (Sequence, optional): Execution providers of onnxruntime, the preferred one first. None: the
            processor.

    Raises:
        ValueError: If onnxruntime has no such provider, or ``threads`` is below 1.
        RuntimeError: If onnxruntime cannot load the graph.
        ValueError: If the graph does not give such outputs, or takes other inputs.
    """

    def __init__(self,
                 path: Path,
                 *,
                 outputs: Sequence[str],
                 inputs: Sequence[str],
                 optional: Sequence[str] = (),
                 threads: Optional[int] = None,
                 providers: Optional[Sequence[Any]] = None) -> None:
        self._session = _load(path, threads, list(PROVIDERS if providers is None else providers))
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


def _load(path: Path, threads: Optional[int], providers: List[Any]) -> onnxruntime.InferenceSession:
    there = onnxruntime.get_available_providers()
    for provider in providers:
        name = provider if isinstance(provider, str) else provider[0]
        if name not in there:
            raise ValueError(f'providers must be of {", ".join(there)}, which this onnxruntime has, but got {name!r}. '
                             f'For a GPU, install onnxruntime-gpu instead of onnxruntime.')
    if threads is not None and threads < 1:
        raise ValueError(f'threads must be at least 1, but got {threads}.')
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS
    options.intra_op_num_threads = usable_cpus() if threads is None else threads
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:
        # Its errors have no base class of their own.
        raise RuntimeError(f'onnxruntime {onnxruntime.__version__} cannot load {path} ({error}). Install a newer '
                           f'onnxruntime, or export the model again.') from error
