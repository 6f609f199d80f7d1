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
# By what a file of theirs is known, whatever it was fine-tuned on.
_OF_A_NAME = ('layers', 'channels', 'feedforward_channels')
_FINAL_NORMS = ('image_norm.', 'text_norm.')
_PROJECTIONS = ('image_projection', 'text_projection')


def complete_architecture(architecture: Union[str, dict]) -> Architecture:
    """All measures of an architecture.

    Args:
        architecture (str or dict): A name, or some of the measures: those left out are those of the one that ``name``
            names, by default base's, but for ``feedforward_channels``, which is then four times ``channels``.

    Returns:
        dict[str, int]: Each measure.

    Raises:
        ValueError: If it is or has no known name, or has entries that are no measures.
        ValueError: If a measure is no positive whole number, or they do not go together.
    """
    changes = dict(architecture) if isinstance(architecture, dict) else dict(name=architecture)
    name = changes.pop('name', 'base')
    measures = ', '.join(ARCHITECTURES['base'])
    # Not a look-up: what is no name may have no hash.
    if name not in list(ARCHITECTURES):
        raise ValueError(f'architecture {name!r} is no BEiT-3. Known: {", ".join(ARCHITECTURES)}, or a dict of one of '
                         f'these as name and what it has otherwise of {measures}.')
    unknown = [str(measure) for measure in changes if measure not in ARCHITECTURES[name]]
    if unknown:
        raise ValueError(f'architecture has entries that BEiT-3 has not: {", ".join(unknown)}. It takes name, '
                         f'{measures}.')
    complete = {**ARCHITECTURES[name], **changes}
    for measure, value in complete.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f'{measure} of the architecture must be a whole number of at least 1, but got {value!r}.')
    if 'feedforward_channels' not in changes:
        complete['feedforward_channels'] = 4 * complete['channels']
    for whole, part in (('channels', 'heads'), ('image_size', 'patch_size')):
        if complete[whole] % complete[part]:
            raise ValueError(f'{whole} of the architecture must be a multiple of {part}, but got {complete[whole]} '
                             f'and {complete[part]}.')
    return complete


def is_projection(name: str) -> bool:
    """Whether a module or a weight of the encoder belongs to the maps to a joint space, which BEiT-3 has not."""
    return name.partition('.')[0] in _PROJECTIONS


def load_beit3(encoder: nn.Module, path: str, architecture: Architecture, *, trust: bool) -> None:
    """Load BEiT-3's weights into an encoder, whose joint space stays as it is.

    A final LayerNorm that the encoder has not is left out.

    Args:
        encoder (nn.Module): The encoder.
        path (str): A file or an address.
        architecture (dict[str, int]): What the encoder was built from.
        trust (bool): Also read a file that holds more than tensors.

    Raises:
        FileNotFoundError: If there is no such file; the message tells where published ones are named.
        ValueError: If it cannot be read, or has keys that are not BEiT-3's.
        RuntimeError: If the weights are of another architecture.
    """
    try:
        weights = read_beit3_weights(path, trust=trust)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'{error} docs/pretrained.md tells where BEiT-3\'s files come from, and how to name one that lies '
            f'elsewhere.') from error
    expected = {name: value for name, value in encoder.state_dict().items() if not is_projection(name)}
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
    for name, known in ARCHITECTURES.items():
        if all(measures[one] == known[one] for one in _OF_A_NAME):
            changes = {one: value for one, value in measures.items() if known[one] != value}
            listed = ', '.join((f'name={name!r}', *(f'{one}={value}' for one, value in changes.items())))
            found = f'dict({listed})' if changes else repr(name)
            return f'{advice}It is of architecture={found}: set that.'
    found = ', '.join(f'{name}={value} instead of {architecture[name]}' for name, value in others.items())
    heads = ' Its heads, which shapes do not tell, can be others too.' if 'channels' in others else ''
    return f'{advice}Set in architecture what the file has: {found}.{heads}'
