"""LAVT, as its published code scores (Yang et al., LAVT: Language-Aware Vision Transformer for Referring Image
Segmentation, CVPR 2022).

Images and masks are stretched to the input, and masks are compared there: of the ground truth, the nearest pixels. Of
the code's two classes, the first one wins a draw: it is the background. An empty prediction of nothing counts 0 and
stays in the mean. The code counts pixels where two polygons of one object overlap as background; we do not.
"""

from .geometry import stretch_affine
from .protocol import Geometry, Protocol
from .scoring import Scoring

LAVT = Protocol(
    'lavt',
    geometry=Geometry('PillowResize', stretch_affine),
    threshold=0.5,
    scoring=Scoring(at_least=True, empty_iou=0.0),
    at_input=True)
