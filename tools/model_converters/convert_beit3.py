"""Bring BEiT-3's published weights to this project's layout, and its own back.

    python tools/model_converters/convert_beit3.py beit3_base_patch16_224.pth beit3_base.safetensors
    python tools/model_converters/convert_beit3.py best_mIoU_epoch_35.pth beit3_finetuned.pth --to beit3
"""

import argparse
from pathlib import Path

import torch

from mmris.checkpoints import BEiT3Weights, measure_beit3, read_beit3_weights
from mmris.checkpoints.key_maps.beit3 import to_beit3
from mmris.checkpoints.key_maps.key_map import LEFT_OUT, State
from mmris.checkpoints.publishing import FORMATS, serialise
from mmris.utils import write_atomically
from mmris.utils.configs import check_inputs
from mmris.version import __version__


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Convert weights of BEiT-3, published ones to ours and back.')
    parser.add_argument('weights', help='file of either layout, or checkpoint of a model trained here')
    parser.add_argument('out', help='file to write, .pth or .safetensors; for beit3 .pth')
    parser.add_argument(
        '--to', choices=('mmris', 'beit3'), default='mmris', help='layout to write (default: %(default)s)')
    parser.add_argument(
        '--trust', action='store_true', help='also read a file that holds more than tensors, by running what it says')
    arguments = parser.parse_args()
    # What reads BEiT-3's own layout reads files of torch.save alone.
    formats = FORMATS if arguments.to == 'mmris' else ('pth', )
    if Path(arguments.out).suffix[1:] not in formats:
        parser.error(f'{arguments.out} must end with .{" or .".join(formats)}')
    return arguments


def main() -> None:
    arguments = parse_arguments()
    check_inputs(weights=arguments.weights)
    weights = read_beit3_weights(arguments.weights, trust=arguments.trust, trust_option='--trust')
    architecture = describe(weights)
    out, state = Path(arguments.out), merge(weights)
    if arguments.to == 'beit3':
        state = to_beit3(state, weights.source)
    with write_atomically(out) as temporary:
        if arguments.to == 'beit3':
            torch.save(dict(model={name: value.clone() for name, value in state.items()}), temporary)
        else:
            temporary.write_bytes(serialise(state, dict(mmris_version=__version__), out.suffix[1:]))
    print(f'{out}: {len(state)} tensors of BEiT-3 ({architecture})')
    if weights.others:
        modules = sorted({'.'.join(key.split('.')[:2]) for key in weights.others})
        print(f'Left out, no part of BEiT-3: {", ".join(modules)}')


def describe(weights: BEiT3Weights) -> str:
    """The architecture of weights, in words.

    Raises:
        ValueError: If they are not whole.
    """
    measures = measure_beit3(weights.encoder)
    if measures is None:
        raise ValueError(f'{weights.source} does not hold a whole BEiT-3.')
    return ', '.join(f'{name} {value}' for name, value in measures.items())


def merge(weights: BEiT3Weights) -> State:
    """All that belongs to BEiT-3, by our keys."""
    return {**weights.encoder, **{LEFT_OUT + name: value for name, value in weights.left_out.items()}}


if __name__ == '__main__':
    main()
