"""BEiT-3's architectures, and published weights into them."""

from typing import Mapping, Union

from mmengine.logging import print_log
from torch import Tensor, nn

from mmris.checkpoints import measure_beit3, read_beit3_weights
from mmris.checkpoints.loading import find_misfits
from mmris.utils import is_part

from .architecture import Architecture, PublishedModel

_PRETRAINING = dict(patch_size=16, image_size=224, vocabulary=64010, text_positions=1024)
BEIT3 = PublishedModel(
    name='BEiT-3',
    architectures=dict(
        base=dict(layers=12, channels=768, heads=12, feedforward_channels=3072, **_PRETRAINING),
        large=dict(layers=24, channels=1024, heads=16, feedforward_channels=4096, **_PRETRAINING)),
    read=read_beit3_weights,
    measure=measure_beit3)
_FINAL_NORMS = ('image_norm.', 'text_norm.')
# Our maps to a joint space, which BEiT-3 has not.
PROJECTIONS = ('image_projection', 'text_projection')


def complete_architecture(architecture: Union[str, dict]) -> Architecture:
    """All measures of an architecture of BEiT-3; see :meth:`PublishedModel.complete`."""
    return BEIT3.complete(architecture)


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
    weights = BEIT3.read_file(path, trust)
    expected = {name: value for name, value in encoder.state_dict().items() if not is_part(name, PROJECTIONS)}
    normed = any(name.startswith(_FINAL_NORMS) for name in expected)
    state = {
        name: value for name, value in weights.encoder.items() if normed or not name.startswith(_FINAL_NORMS)
    }
    misfits = find_misfits(expected, state)
    if misfits:
        advice = [_advise_on_norms(state, normed), BEIT3.advise(state, architecture), misfits]
        raise RuntimeError(f'{path} does not fit the BEiT-3 of the config. {" ".join(filter(None, advice))}')
    encoder.load_state_dict(state, strict=False)
    print_log(f'Loaded BEiT-3 from {path}.', logger='current')


def _advise_on_norms(state: Mapping[str, Tensor], normed: bool) -> str:
    if not normed or measure_beit3(state) is None or any(name.startswith(_FINAL_NORMS) for name in state):
        return ''
    return 'It was fine-tuned without the final LayerNorm: set norm_last_stage=False.'
