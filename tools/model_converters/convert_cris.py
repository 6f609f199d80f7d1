"""Bring released checkpoints of CRIS to this project, and its own back.

    python tools/model_converters/convert_cris.py best_model.pth cris_rn50_refcoco.pth
    python tools/model_converters/convert_cris.py cris_rn50_refcoco.pth best_model.pth --to cris
"""

import argparse
from pathlib import Path
from typing import Dict, Mapping

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor

from mmris.checkpoints import read_checkpoint
from mmris.checkpoints.key_maps import KeyMapError
from mmris.checkpoints.key_maps.cris import CRIS, PREFIX, to_cris
from mmris.checkpoints.key_maps.key_map import LEFT_OUT
from mmris.checkpoints.loading import find_misfits
from mmris.checkpoints.publishing import FORMATS, serialise
from mmris.checkpoints.unwrapping import fit_layout, unwrap_weights
from mmris.registry import MODELS
from mmris.utils import find_config, write_atomically
from mmris.utils.tool import run_tool
from mmris.version import __version__

# Weights do not tell the data set: those of RefCOCO+ and RefCOCOg fit the same models.
CONFIGS = ('mmris::cris/rn50_refcoco.py', 'mmris::cris/rn101_refcoco.py')


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Convert checkpoints of CRIS, released ones to ours and back.')
    parser.add_argument('checkpoint', help='checkpoint file, .pth or .safetensors')
    parser.add_argument('out', help='file to write, .pth or .safetensors')
    parser.add_argument(
        '--to', choices=('mmris', 'cris'), default='mmris', help='layout to write (default: %(default)s)')
    parser.add_argument(
        '--trust', action='store_true', help='also read a file that holds more than tensors, by running what it says')
    arguments = parser.parse_args()
    if Path(arguments.out).suffix[1:] not in FORMATS:
        parser.error(f'{arguments.out} must end with .{" or .".join(FORMATS)}')
    return arguments


def main() -> None:
    arguments = parse_arguments()
    source = arguments.checkpoint
    checkpoint = read_checkpoint(source, trust=arguments.trust, trust_option='--trust')
    from_cris = arguments.to == 'mmris'
    beginning = 'backbone.visual.' if from_cris else 'encoder.image.'
    state, beside = fit_layout(
        unwrap_weights(checkpoint, source), lambda one: any(name.startswith(beginning) for name in one))
    if from_cris:
        # What DDP puts before names is a part of theirs.
        state = {PREFIX + name: value for name, value in state.items()}
    config = fitting_config(state, source, from_cris=from_cris)
    converted = CRIS.to_ours(state, source) if from_cris else to_cris(state, source)
    out = Path(arguments.out)
    data = serialise(converted, dict(mmris_version=__version__), out.suffix[1:])
    with write_atomically(out) as temporary:
        temporary.write_bytes(data)
    print(f'{out}: {len(converted)} tensors that fit {config}, or the config of another data set with that model')
    if beside:
        print(f'Left out, no part of the model: {", ".join(sorted({name.partition(".")[0] for name in beside}))}')


def fitting_config(state: Mapping[str, Tensor], source: str, *, from_cris: bool) -> str:
    """Find the config whose model has the weights of a file.

    Args:
        state (Mapping[str, Tensor]): The weights.
        source (str): Where they come from, for messages.
        from_cris (bool): Whether they are by CRIS's keys, not ours.

    Returns:
        str: One of ``CONFIGS``.

    Raises:
        KeyMapError: If none; the message tells what is missing, left over or of another shape for the closest.
    """
    given = {name: value for name, value in state.items() if not name.startswith(LEFT_OUT)}
    models = {config: empty_weights(config) for config in CONFIGS}
    if from_cris:
        models = {config: to_cris(weights, config) for config, weights in models.items()}
    closest = min(models, key=lambda config: len(models[config].keys() ^ given.keys()))
    misfits = find_misfits(models[closest], given)
    if misfits:
        raise KeyMapError(f'{source} does not fit {closest}, the closest of {", ".join(models)}. {misfits}')
    return closest


def empty_weights(config: str) -> Dict[str, Tensor]:
    """The weights of a config's model, without content but for those that are flags."""
    init_default_scope('mmris')
    with torch.device('meta'):
        state = MODELS.build(Config.fromfile(find_config(config)).model).state_dict()
    return {name: torch.tensor(True) if value.dtype == torch.bool else value for name, value in state.items()}


if __name__ == '__main__':
    run_tool(main)
