"""From a module of PyTorch to a file of ONNX."""

import logging
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple

import torch
from timm.models.vision_transformer_sam import Attention as SAMAttention
from torch import Tensor, nn

# A file of ONNX holds no more than 2 GB. Weights of larger graphs stand in a file beside it.
_LARGEST_FILE = 1_800_000_000
_MOST_SENTENCES = 4096


def export_image_half(half: nn.Module, inputs: Sequence[Tensor], outputs: Sequence[str], path: Path) -> List[Path]:
    """Write the graph of an :class:`~mmris.export.halves.ImageHalf`, of one image.

    Args:
        half (nn.Module): The module.
        inputs (Sequence[Tensor]): An example of its inputs.
        outputs (Sequence[str]): Names of its outputs.
        path (Path): The file to write.

    Returns:
        list[Path]: The files written: ``path``, and one with weights where ``path`` has no room for them.
    """
    return _export(half, tuple(inputs), None, half.input_names, outputs, path)


def export_sentence_half(half: nn.Module, tokens: Tuple[Tensor, Tensor], state: Sequence[Tensor], path: Path,
                         longest: Optional[int]) -> List[Path]:
    """Write the graph of a :class:`~mmris.export.halves.SentenceHalf`, of any number of sentences.

    Args:
        half (nn.Module): The module.
        tokens (tuple[Tensor, Tensor]): An example of ids ``(P, L)`` and mask; neither size may be 1.
        state (Sequence[Tensor]): An example of the state.
        path (Path): The file to write.
        longest (int, optional): The most tokens of a sentence, if sentences of any length up to that are to be taken.
            None: all are as long as the example.

    Returns:
        list[Path]: As :func:`export_image_half`.
    """
    sizes = {0: torch.export.Dim('sentences', min=1, max=_MOST_SENTENCES)}
    if longest is not None:
        sizes[1] = torch.export.Dim('tokens', min=2, max=longest)
    dynamic = (sizes, sizes, tuple({} for _ in state))
    names = ['token_ids', 'token_mask', *half.state_names]
    return _export(half, (*tokens, *state), dynamic, names, half.output_names, path)


def _export(module: nn.Module, inputs: Tuple[Tensor, ...], dynamic: Optional[tuple], input_names: Sequence[str],
            output_names: Sequence[str], path: Path) -> List[Path]:
    with torch.no_grad(), _quiet(), _plain_attention(module):
        # In two steps: the exporter to ONNX itself falls back to fixed sizes without a word.
        program = torch.export.export(module, inputs, dynamic_shapes=dynamic, strict=False)
        graph = torch.onnx.export(
            program, dynamo=True, input_names=list(input_names), output_names=list(output_names), verbose=False)
    weights = sum(value.const_value.nbytes for value in graph.model.graph.initializers.values())
    graph.save(str(path), external_data=weights > _LARGEST_FILE)
    beside = path.with_name(f'{path.name}.data')
    return [path, beside] if beside.is_file() else [path]


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings of how the exporter is made, and no lines about what it could not simplify."""
    logger = logging.getLogger('onnxscript')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _plain_attention(module: nn.Module) -> Iterator[None]:
    """SAM 1's attention as products of matrices: the exporter knows no fused one whose heads are in the batch."""
    fused = [one for one in module.modules() if isinstance(one, SAMAttention) and one.fused_attn]
    for one in fused:
        one.fused_attn = False
    try:
        yield
    finally:
        for one in fused:
            one.fused_attn = True
