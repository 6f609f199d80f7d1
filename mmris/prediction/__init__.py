"""What predictors give, and what they share. Nothing here needs torch or an OpenMMLab stack."""

from .encoded_image import BaseEncodedImage
from .prediction import Prediction, SavedPrediction
from .predictor import BasePredictor, Logits

__all__ = ['BaseEncodedImage', 'BasePredictor', 'Logits', 'Prediction', 'SavedPrediction']
