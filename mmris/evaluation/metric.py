"""The metric that loops call: gathers counts of pixels, then scores them."""

import json
import logging
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

import numpy as np
from mmengine.dist import all_gather_object, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmris.protocols import Protocol, find_protocol
from mmris.registry import METRICS
from mmris.utils import write_atomically
from mmris.utils.ids import id_order

from .iou import intersection_and_union, iou_scores, summarise


@METRICS.register_module()
class ReferringIoUMetric(BaseMetric):
    """oIoU, mIoU and Pr@X over expressions, in percent, on the original pixels (docs/metrics.md).

    How a pixel is decided, and what an empty prediction of nothing scores, is said by the protocol that a sample's
    predictions were made by (``model.protocol``); samples without one are scored by ``'mmris'``.

    Args:
        threshold (float, optional): The probability above which a pixel is predicted, in [0, 1). Default: None, the
            protocol's.
        by_skill (bool): Also score each skill's expressions, where the data set tags them, as
            ``skill/<name>/mIoU`` and so on. Defaults to False.
        dump_file (str, optional): Where to write one line of JSON an expression: its ids, sentence, intersection,
            union, IoU, pixels predicted, of the target and of the image, skills, and the protocol, resampling (None:
            the protocol's own) and threshold that scored it. Defaults to None.
        prefix (str, optional): See ``mmengine.evaluator.BaseMetric``. Defaults to None: plain names.

    Raises:
        ValueError: If ``threshold`` is not in [0, 1).
    """

    # MMEngine warns of an unset prefix; an empty one is a choice.
    default_prefix = ''

    def __init__(self,
                 *,
                 threshold: Optional[float] = None,
                 by_skill: bool = False,
                 dump_file: Optional[str] = None,
                 prefix: Optional[str] = None) -> None:
        super().__init__(prefix=prefix)
        if threshold is not None and not 0 <= threshold < 1:
            raise ValueError(f'threshold of ReferringIoUMetric is a probability in [0, 1), but got {threshold}.')
        self.threshold = threshold
        self._warned = False
        self.by_skill = by_skill
        self.dump_file = dump_file

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the pixels of a batch.

        Appends one entry a sample, whatever its number of expressions.

        Raises:
            ValueError: If a sample lacks its ground truth, or its prediction is of another size.
            ValueError: If the metric has a threshold, and the protocol's way back has applied its own.
        """
        for sample in data_samples:
            if 'gt_original' not in sample:
                raise ValueError(
                    f'{sample["img_path"]} has no gt_original to score against: the test pipeline needs LoadMasks and '
                    f'PackReferringInputs(masks=[\'gt_original\']).')
            protocol, target = self.protocol_of(sample), sample['gt_original']
            prediction = protocol.masks(sample['probabilities'])
            intersection, union = intersection_and_union(prediction, target)
            self.results.append(
                dict(
                    intersection=intersection,
                    union=union,
                    iou=iou_scores(intersection, union, protocol.empty_iou),
                    predicted_pixels=prediction.flatten(1).sum(dim=1).tolist(),
                    target_pixels=target.flatten(1).sum(dim=1).tolist(),
                    image_pixels=target[0].numel(),
                    protocol=protocol.name,
                    resampling=sample.get('resampling'),
                    threshold=protocol.threshold,
                    img_id=sample['img_id'],
                    sent_ids=sample['sent_ids'],
                    ref_ids=sample['ref_ids'],
                    text=sample['text'],
                    skills=sample.get('skills')))

    def protocol_of(self, sample: Any) -> Protocol:
        """Find how a sample is scored.

        Args:
            sample (dict or ReferringDataSample): With the name of its ``protocol``, or without.

        Returns:
            Protocol: Its own, with the metric's threshold if it has one.

        Raises:
            ValueError: If there is no such protocol, or it takes no other threshold.
        """
        protocol = find_protocol(sample.get('protocol') or 'mmris', sample.get('resampling'))
        if protocol.name != 'mmris' and self.threshold not in (None, protocol.threshold) and not self._warned:
            self._warned = True
            print_log(
                f'Masks are scored at the threshold {self.threshold} of ReferringIoUMetric, not at that of protocol '
                f'{protocol.name}, {protocol.threshold}.',
                logger='current',
                level=logging.WARNING)
        return protocol.with_threshold(self.threshold)

    def evaluate(self, size: int) -> Dict[str, float]:
        """Score what all processes have seen, each sample once.

        Processes may have seen different numbers of samples, and one sample twice where a sampler pads.

        Args:
            size (int): Number of samples of the data set. Not needed: samples are known by their ids.

        Returns:
            dict[str, float]: See :meth:`compute_metrics`; the same in all processes.

        Raises:
            RuntimeError: If the number of expressions is not the data set's.
        """
        seen = {(entry['img_id'], *entry['ref_ids'], *entry['sent_ids']): entry
                for part in all_gather_object(self.results) for entry in part}
        self.results.clear()
        metrics = self.compute_metrics(list(seen.values()))
        return {f'{self.prefix}/{name}' if self.prefix else name: value for name, value in metrics.items()}

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Score all samples.

        Returns:
            dict[str, float]: ``oIoU``, ``mIoU``, ``Pr@0.5`` to ``Pr@0.9`` in percent, ``expressions`` (their
            number), and the same below ``skill/<name>/`` if wanted.

        Raises:
            RuntimeError: If the number of expressions is not the data set's.
        """
        rows = _expression_rows(results)
        expected = (self.dataset_meta or {}).get('num_expressions')
        if expected is not None and expected != len(rows):
            raise RuntimeError(f'{len(rows)} expressions were scored, but the data set has {expected}.')
        if self.dump_file is not None and is_main_process():
            _dump(rows, self.dump_file)
        metrics = _summarise_rows(rows)
        if self.by_skill:
            for skill in sorted({skill for row in rows for skill in row['skills']}):
                having = _summarise_rows([row for row in rows if skill in row['skills']])
                metrics.update({f'skill/{skill}/{name}': value for name, value in having.items()})
        return metrics


def _expression_rows(results: List[dict]) -> List[dict]:
    """One row an expression, in the order of ids: sums of floats must not depend on who computed what."""
    rows = []
    for entry in results:
        for position, text in enumerate(entry['text']):
            rows.append(
                dict(
                    sent_id=entry['sent_ids'][position],
                    ref_id=entry['ref_ids'][position],
                    img_id=entry['img_id'],
                    text=text,
                    intersection=int(entry['intersection'][position]),
                    union=int(entry['union'][position]),
                    iou=float(entry['iou'][position]),
                    predicted_pixels=entry['predicted_pixels'][position],
                    target_pixels=entry['target_pixels'][position],
                    **{name: entry[name] for name in ('image_pixels', 'protocol', 'resampling', 'threshold')},
                    skills=entry['skills'][position] if entry['skills'] else []))
    return sorted(rows, key=lambda row: [id_order(row[name]) for name in ('sent_id', 'ref_id', 'img_id')])


def _summarise_rows(rows: List[dict]) -> Dict[str, float]:
    intersection = np.array([row['intersection'] for row in rows], dtype=np.int64)
    union = np.array([row['union'] for row in rows], dtype=np.int64)
    iou = np.array([row['iou'] for row in rows], dtype=np.float64)
    return dict(summarise(intersection, union, iou), expressions=len(rows))


def _dump(rows: List[dict], path: str) -> None:
    with write_atomically(path) as temporary, open(temporary, 'w', encoding='utf-8') as file:
        for row in rows:
            # Ids of other data sets may be NumPy's, or of a type that JSON lacks.
            file.write(json.dumps(row, ensure_ascii=False, default=_plain) + '\n')


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, 'item') else str(value)


def own_metrics(evaluator: Union[dict, Sequence[dict], None]) -> List[dict]:
    """Find the configs of :class:`ReferringIoUMetric` in that of an evaluator.

    Args:
        evaluator (dict or Sequence[dict], optional): As a config has it.

    Returns:
        list[dict]: The configs themselves, in order.
    """
    metrics = evaluator.get('metrics', evaluator) if isinstance(evaluator, dict) else evaluator
    metrics = [metrics] if isinstance(metrics, dict) else metrics or []
    return [metric for metric in metrics if isinstance(metric, dict) and _is_own(metric.get('type'))]


def check_thresholds(config: Mapping[str, Any]) -> None:
    """Check that the protocol of a config takes the thresholds of its metrics and pictures, before any work.

    Args:
        config (Mapping): The config.

    Raises:
        ValueError: If the protocol is unknown, or its way back applies another threshold.
    """
    model = config.get('model') or {}
    protocol = find_protocol(model.get('protocol', 'mmris'), model.get('resampling'))
    deciding = [*own_metrics(config.get('val_evaluator')), *own_metrics(config.get('test_evaluator'))]
    deciding += [hook for hook in config.get('custom_hooks') or () if isinstance(hook, dict) and 'threshold' in hook]
    for one in deciding:
        protocol.with_threshold(one.get('threshold'))


def _is_own(kind: Union[str, type, None]) -> bool:
    kind = METRICS.get(kind) if isinstance(kind, str) else kind
    return isinstance(kind, type) and issubclass(kind, ReferringIoUMetric)
