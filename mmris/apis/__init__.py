from .model import init_model
from .predictor import Predictor

__all__ = ['Predictor', 'init_model']
