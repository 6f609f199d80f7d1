from .iou import PRECISION_THRESHOLDS, intersection_and_union, iou_scores, summarise
from .metric import ReferringIoUMetric
from .tables import format_results, format_table, nest_metrics, to_json

__all__ = [
    'PRECISION_THRESHOLDS', 'ReferringIoUMetric', 'format_results', 'format_table', 'intersection_and_union',
    'iou_scores', 'nest_metrics', 'summarise', 'to_json'
]
