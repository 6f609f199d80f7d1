"""How papers score: one file for each paper, and the table of their names."""

from dataclasses import replace
from typing import Optional

from .cris import CRIS
from .evf_sam import EVF_SAM
from .evf_sam2 import EVF_SAM2, EVF_SAM2_MULTITASK
from .gsva import GSVA
from .lavt import LAVT
from .lisa import LISA
from .mmdet import MMDET
from .mmris import MMRIS
from .phrasecut import PHRASECUT
from .protocol import Geometry, Protocol
from .ref_zom import REF_ZOM
from .rela import RELA, RELA_50_PIXELS, RELA_50_PIXELS_CLEARED, RELA_NO_PIXEL
from .resampling import RESAMPLINGS, Resampling
from .scoring import Scoring, check_existence_threshold
from .shared_ris import SHARED_RIS

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (MMRIS, CRIS, LAVT, SHARED_RIS, EVF_SAM, EVF_SAM2, EVF_SAM2_MULTITASK, RELA, RELA_NO_PIXEL,
                     RELA_50_PIXELS, RELA_50_PIXELS_CLEARED, GSVA, REF_ZOM, LISA, MMDET, PHRASECUT)
}


def find_protocol(name: str, resampling: Optional[str] = None) -> Protocol:
    """Find a protocol by its name.

    Args:
        name (str): Such as ``'cris'``.
        resampling (str, optional): The way back to take instead of the protocol's own, such as ``'bilinear'``, which
            works with any geometry. Default: None, its own.

    Returns:
        Protocol: The protocol.

    Raises:
        ValueError: If there is none of that name, or no such resampling.
        ValueError: If a way back is asked for, and the protocol scores at the input.
    """
    if name not in PROTOCOLS:
        raise ValueError(f'protocol must be one of {", ".join(PROTOCOLS)}, but got {name!r}.')
    if resampling is None:
        return PROTOCOLS[name]
    if resampling not in RESAMPLINGS:
        raise ValueError(f'resampling must be one of {", ".join(RESAMPLINGS)}, but got {resampling!r}.')
    if PROTOCOLS[name].at_input:
        raise ValueError(
            f'Protocol {name} scores at the input, so a way back to the original pixels '
            f'(model.resampling={resampling}) would have no effect on its scores. Leave it out, or choose another '
            f'protocol (model.protocol).')
    return replace(PROTOCOLS[name], resampling=RESAMPLINGS[resampling])


__all__ = [
    'Geometry', 'PROTOCOLS', 'Protocol', 'RESAMPLINGS', 'Resampling', 'Scoring', 'check_existence_threshold',
    'find_protocol'
]
