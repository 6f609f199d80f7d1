from .clip import load_clip_weights
from .reading import load_model_weights

__all__ = ['load_clip_weights', 'load_model_weights']
