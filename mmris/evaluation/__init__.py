from .iou import PRECISION_THRESHOLDS, intersection_and_union, iou_scores, summarise
from .metric import ReferringIoUMetric, check_thresholds, own_metrics
from .tables import format_results, format_table, nest_metrics, to_json

__all__ = [
    'PRECISION_THRESHOLDS', 'ReferringIoUMetric', 'check_thresholds', 'format_results', 'format_table',
    'intersection_and_union', 'iou_scores', 'nest_metrics', 'own_metrics', 'summarise', 'to_json'
]
