"""BEiT-3's architectures, and published weights into them."""

from typing import Dict, Mapping, Union

from mmengine.logging import print_log
from torch import Tensor, nn

from mmris.checkpoints import measure_beit3, read_beit3_weights
from mmris.checkpoints.loading import find_misfits

Architecture = Dict[str, int]
_PRETRAINING = dict(patch_size=16, image_size=224, vocabulary=64010, text_positions=1024)
ARCHITECTURES: Dict[str, Architecture] = dict(
    base=dict(layers=12, channels=768, heads=12, feedforward_channels=3072, **_PRETRAINING),
    large=dict(layers=24, channels=1024, heads=16, feedforward_channels=4096, **_PRETRAINING))
_FINAL_NORMS = ('image_norm.', 'text_norm.')
_PROJECTIONS = ('image_projection.', 'text_projection.')


def complete_architecture(architecture: Union[str, dict]) -> Architecture:
    """All measures of an architecture.

    Args:
        architecture (str or dict): A name, or some of the measures: those left out are base's, but for
            ``feedforward_channels``, which is then four times ``channels``.

    Returns:
        dict[str, int]: Each measure.

    Raises:
        ValueError: If it is no known name, or has entries that are no measures.
        ValueError: If a number is not positive, or they do not go together.
    """
    if isinstance(architecture, str):
        if architecture not in ARCHITECTURES:
            raise ValueError(f'architecture {architecture!r} is no BEiT-3. Known: {", ".join(ARCHITECTURES)}, or a '
                             f'dict of {", ".join(ARCHITECTURES["base"])}.')
        return dict(ARCHITECTURES[architecture])
    base = ARCHITECTURES['base']
    unknown = [name for name in architecture if name not in base]
    if unknown:
        raise ValueError(f'architecture has entries that BEiT-3 has not: {", ".join(unknown)}. It takes '
                         f'{", ".join(base)}.')
    complete = {**base, **architecture}
    if 'feedforward_channels' not in architecture:
        complete['feedforward_channels'] = 4 * complete['channels']
    for name, value in complete.items():
        if value < 1:
            raise ValueError(f'{name} of the architecture must be at least 1, but got {value}.')
    for whole, part in (('channels', 'heads'), ('image_size', 'patch_size')):
        if complete[whole] % complete[part]:
            raise ValueError(f'{whole} of the architecture must be a multiple of {part}, but got {complete[whole]} '
                             f'and {complete[part]}.')
    return complete


def load_beit3(encoder: nn.Module, path: str, architecture: Architecture, *, trust: bool) -> None:
    """Load BEiT-3's weights into an encoder, whose joint space stays as it is.

    A final LayerNorm that the encoder has not is left out.

    Args:
        encoder (nn.Module): The encoder.
        path (str): A file or an address.
        architecture (dict[str, int]): What the encoder was built from.
        trust (bool): Also read a file that holds more than tensors.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or has keys that are not BEiT-3's.
        RuntimeError: If the weights are of another architecture.
    """
    weights = read_beit3_weights(path, trust=trust)
    expected = {name: value for name, value in encoder.state_dict().items() if not name.startswith(_PROJECTIONS)}
    normed = any(name.startswith(_FINAL_NORMS) for name in expected)
    state = {
        name: value for name, value in weights.encoder.items() if normed or not name.startswith(_FINAL_NORMS)
    }
    misfits = find_misfits(expected, state)
    if misfits:
        raise RuntimeError(f'{path} does not fit the BEiT-3 of the config. {_advise(state, architecture, normed)} '
                           f'{misfits}')
    encoder.load_state_dict(state, strict=False)
    print_log(f'Loaded BEiT-3 from {path}.', logger='current')


def _advise(state: Mapping[str, Tensor], architecture: Architecture, normed: bool) -> str:
    measures = measure_beit3(state)
    if measures is None:
        return 'The file does not hold a whole BEiT-3.'
    advice = ''
    if normed and not any(name.startswith(_FINAL_NORMS) for name in state):
        advice = 'It was fine-tuned without the final LayerNorm: set norm_last_stage=False. '
    others = {name: value for name, value in measures.items() if architecture[name] != value}
    if not others:
        return advice.rstrip()
    names = [name for name, known in ARCHITECTURES.items() if measures.items() <= known.items()]
    if names:
        return f'{advice}It is of architecture={names[0]!r}: set that.'
    found = ', '.join(f'{name}={value} instead of {architecture[name]}' for name, value in others.items())
    heads = ' Its heads, which shapes do not tell, can be others too.' if 'channels' in others else ''
    return f'{advice}Set in architecture what the file has: {found}.{heads}'
