from .inferencer import ReferringInferencer
from .model import init_model, init_untrained
from .prediction import Prediction, SavedPrediction
from .predictor import Predictor

__all__ = ['Prediction', 'Predictor', 'ReferringInferencer', 'SavedPrediction', 'init_model', 'init_untrained']
