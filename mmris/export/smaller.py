"""Graphs with smaller weights."""

import logging
from pathlib import Path
from typing import List

from onnxruntime.quantization import QuantType, quantize_dynamic


def write_int8(source: Path, target: Path) -> List[Path]:
    """Write a graph whose products with weights are of whole numbers of 8 bits.

    Weights are rounded beforehand, with a scale for each column, and activations as they come, with a scale for each
    tensor. Convolutions, embeddings and products of two activations stay as they are.

    Args:
        source (Path): A graph in float32.
        target (Path): The file to write.

    Returns:
        list[Path]: The files written: ``target``, and one with weights where the source has one.
    """
    beside = source.with_name(f'{source.name}.data').is_file()
    logger = logging.getLogger()
    level = logger.level
    # It recommends a preparation of the graph that ours does not need.
    logger.setLevel(logging.ERROR)
    try:
        quantize_dynamic(
            source, target, op_types_to_quantize=['MatMul', 'Gemm'], per_channel=True, weight_type=QuantType.QInt8,
            use_external_data_format=beside, extra_options=dict(MatMulConstBOnly=True))
    finally:
        logger.setLevel(level)
    return [target, target.with_name(f'{target.name}.data')] if beside else [target]
