"""The ways back from the model's grid to original pixels, by name. Their arithmetic is in torch and in NumPy."""

from typing import NamedTuple

import numpy as np

SHARED_RIS_THRESHOLD = 0.35
# The smallest float32 above 1/2.
ABOVE_HALF = float(np.nextafter(np.float32(0.5), np.float32(1)))


class Resampling(NamedTuple):
    """A way back.

    :mod:`~mmris.protocols.torch_ways_back` and :mod:`~mmris.protocols.numpy_ways_back` each compute it, by its name.

    Attributes:
        name (str): What a config calls it.
        binary (bool): Whether it applies the protocol's threshold, and gives 0 and 1 alone. Default: False.
        sigmoid_last (bool): Whether it resamples logits, and only then takes the sigmoid. Default: False, the sigmoid
            comes first, so there are no logits on the original pixels.
    """

    name: str
    binary: bool = False
    sigmoid_last: bool = False


BILINEAR = Resampling('bilinear')
CRIS_TWICE = Resampling('cris')
THRESHOLD_FIRST = Resampling('shared_ris', binary=True)
EVF_SAM_TWICE = Resampling('evf_sam', sigmoid_last=True)
EVF_SAM_ONCE = Resampling('evf_sam2', sigmoid_last=True)

RESAMPLINGS = {one.name: one for one in (BILINEAR, CRIS_TWICE, THRESHOLD_FIRST, EVF_SAM_TWICE, EVF_SAM_ONCE)}
