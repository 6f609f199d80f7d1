from mmris.stack import check_stack

check_stack()

from mmris.prediction import Prediction, SavedPrediction  # noqa: E402

from .inferencer import ReferringInferencer  # noqa: E402
from .model import init_model, init_untrained  # noqa: E402
from .predictor import Predictor  # noqa: E402

__all__ = ['Prediction', 'Predictor', 'ReferringInferencer', 'SavedPrediction', 'init_model', 'init_untrained']
