from .model import init_model, init_untrained
from .predictor import Predictor

__all__ = ['Predictor', 'init_model', 'init_untrained']
