from .cases import Cases, count_cases, summarise_cases
from .config_checks import check_save_best, check_thresholds, own_metrics
from .iou import PRECISION_THRESHOLDS, PendingCounts, PixelCounts, iou_scores
from .metric import ReferringIoUMetric
from .tables import MEANS, format_results, format_table, nest_metrics, to_json

__all__ = [
    'MEANS', 'PRECISION_THRESHOLDS', 'Cases', 'PendingCounts', 'PixelCounts', 'ReferringIoUMetric',
    'check_save_best', 'check_thresholds', 'count_cases', 'format_results', 'format_table', 'iou_scores',
    'nest_metrics', 'own_metrics', 'summarise_cases', 'to_json'
]
