"""How papers score: one file for each paper, and the table of their names."""

from dataclasses import replace
from typing import Optional

from .cris import CRIS
from .evf_sam import EVF_SAM
from .evf_sam2 import EVF_SAM2, EVF_SAM2_MULTITASK
from .gsva import GSVA
from .lisa import LISA
from .mmdet import MMDET
from .mmris import MMRIS
from .phrasecut import PHRASECUT
from .protocol import Geometry, Protocol
from .ref_zom import REF_ZOM
from .rela import RELA, RELA_50_PIXELS, RELA_50_PIXELS_CLEARED, RELA_NO_PIXEL
from .scoring import Scoring, check_existence_threshold
from .shared_ris import SHARED_RIS

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (MMRIS, CRIS, SHARED_RIS, EVF_SAM, EVF_SAM2, EVF_SAM2_MULTITASK, RELA, RELA_NO_PIXEL,
                     RELA_50_PIXELS, RELA_50_PIXELS_CLEARED, GSVA, REF_ZOM, LISA, MMDET, PHRASECUT)
}
# The protocols whose way back can be taken alone, by the name of its resampling.
RESAMPLINGS = dict(bilinear=MMRIS, cris=CRIS, shared_ris=SHARED_RIS, evf_sam=EVF_SAM, evf_sam2=EVF_SAM2)


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
    """
    if name not in PROTOCOLS:
        raise ValueError(f'protocol must be one of {", ".join(PROTOCOLS)}, but got {name!r}.')
    if resampling is None:
        return PROTOCOLS[name]
    if resampling not in RESAMPLINGS:
        raise ValueError(f'resampling must be one of {", ".join(RESAMPLINGS)}, but got {resampling!r}.')
    other = RESAMPLINGS[resampling]
    return replace(
        PROTOCOLS[name], way_back=other.way_back, binary=other.binary, resample_logits=other.resample_logits)


__all__ = [
    'Geometry', 'PROTOCOLS', 'Protocol', 'RESAMPLINGS', 'Scoring', 'check_existence_threshold', 'find_protocol'
]
