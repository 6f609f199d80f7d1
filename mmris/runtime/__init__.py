"""Exported models, run by onnxruntime. Nothing here needs torch or an OpenMMLab stack."""

from .predictor import OnnxPredictor

__all__ = ['OnnxPredictor']
