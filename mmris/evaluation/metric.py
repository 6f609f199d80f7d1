"""The metric that loops call: gathers counts of pixels, then scores them."""

import json
import logging
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from mmengine.dist import all_gather_object, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor

from mmris.protocols import Protocol, check_existence_threshold, find_protocol
from mmris.registry import METRICS
from mmris.utils import write_atomically
from mmris.utils.ids import id_order

from .cases import count_cases
from .expression_rows import score_rows, scoring_of
from .iou import PendingCounts

# What a row holds of its expression's pixels.
_COUNTED = ('intersection', 'union', 'iou', 'predicted_pixels', 'target_pixels', 'existence', 'rejected')


@METRICS.register_module()
class ReferringIoUMetric(BaseMetric):
    """The scores of a protocol over expressions, in percent (docs/metrics.md).

    How a pixel is decided, which scores there are, and what sentences without a target count, is said by the protocol
    that a sample's predictions were made by (``model.protocol``); samples without one are scored by ``'mmris'``, which
    gives oIoU, mIoU and Pr@X. Pixels are counted on the original image, or on the input if the protocol scores there.

    Args:
        threshold (float, optional): The probability above which a pixel is predicted, in [0, 1). Default: None, the
            protocol's.
        existence_threshold (float, optional): If the model has an existence head and the protocol asks it, a prediction
            is rejected if its existence is below this probability, in (0, 1). Default: None, the protocol's, 0.5.
        by_skill (bool): Also score each skill's expressions, where the data set tags them, as
            ``skill/<name>/mIoU`` and so on. Defaults to False.
        dump_file (str, optional): Where to write one line of JSON an expression: its ids, sentence, intersection,
            union and IoU as the protocol counts them, pixels predicted, of the target and of the image (or of the
            input, if the protocol scores there), existence (None: the model has no such head), whether the prediction
            is rejected, skills, and the protocol, resampling (None: the protocol's own) and threshold that scored it.
            Defaults to None.
        prefix (str, optional): See ``mmengine.evaluator.BaseMetric``. Defaults to None: plain names.

    Raises:
        ValueError: If ``threshold`` is not in [0, 1), or ``existence_threshold`` not in (0, 1).
    """

    # MMEngine warns of an unset prefix; an empty one is a choice.
    default_prefix = ''

    def __init__(self,
                 *,
                 threshold: Optional[float] = None,
                 existence_threshold: Optional[float] = None,
                 by_skill: bool = False,
                 dump_file: Optional[str] = None,
                 prefix: Optional[str] = None) -> None:
        super().__init__(prefix=prefix)
        if threshold is not None and not 0 <= threshold < 1:
            raise ValueError(f'threshold of ReferringIoUMetric is a probability in [0, 1), but got {threshold}.')
        if existence_threshold is not None:
            check_existence_threshold(existence_threshold)
        self.threshold = threshold
        self.existence_threshold = existence_threshold
        self._warned = False
        self.by_skill = by_skill
        self.dump_file = dump_file

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the pixels of a batch.

        Appends one entry a sample, whatever its number of expressions.

        Raises:
            ValueError: If a sample lacks its ground truth, or its prediction is of another size.
            ValueError: If the protocol scores at the input, and a sample has no prediction there.
            ValueError: If a sample has another number of ``existence`` than of expressions.
            ValueError: If the metric has a threshold, and the protocol's way back has applied its own.
            ValueError: If the metric has a threshold of existence, and the protocol does not ask for existence.
        """
        for sample in data_samples:
            if 'gt_original' not in sample:
                raise ValueError(
                    f'{sample["img_path"]} has no gt_original to score against: the test pipeline needs LoadMasks and '
                    f'PackReferringInputs(masks=[\'gt_original\']).')
            protocol = self.protocol_of(sample)
            prediction, target = _compared_masks(protocol, sample)
            self.results.append(
                _Scored(
                    PendingCounts(prediction, target), _existence_of(sample), protocol,
                    dict(
                        image_pixels=target[0].numel(),
                        protocol=protocol.name,
                        resampling=sample.get('resampling'),
                        threshold=protocol.threshold,
                        img_id=sample['img_id'],
                        sent_ids=sample['sent_ids'],
                        ref_ids=sample['ref_ids'],
                        text=sample['text'],
                        skills=sample.get('skills'))))

    def protocol_of(self, sample: Any) -> Protocol:
        """Find how a sample is scored.

        Args:
            sample (dict or ReferringDataSample): With the name of its ``protocol``, or without.

        Returns:
            Protocol: Its own, with the metric's thresholds if it has any.

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
        return protocol.with_threshold(self.threshold).with_existence_threshold(self.existence_threshold)

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
                for part in all_gather_object([one.entry() for one in self.results]) for entry in part}
        self.results.clear()
        metrics = self.compute_metrics(list(seen.values()))
        return {f'{self.prefix}/{name}' if self.prefix else name: value for name, value in metrics.items()}

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Score all samples.

        Returns:
            dict[str, float]: The protocol's scores in percent, of ``mmris`` ``oIoU``, ``mIoU`` and ``Pr@0.5`` to
            ``Pr@0.9`` (NaN where one is undefined), ``expressions`` (their number), and the same below
            ``skill/<name>/`` if wanted.

        Raises:
            RuntimeError: If the number of expressions is not the data set's.
            ValueError: If there is no expression, or they were predicted by several protocols.
        """
        rows = _expression_rows(results)
        expected = (self.dataset_meta or {}).get('num_expressions')
        if expected is not None and expected != len(rows):
            raise RuntimeError(f'{len(rows)} expressions were scored, but the data set has {expected}.')
        if self.dump_file is not None and is_main_process():
            _dump(rows, self.dump_file)
        scoring = scoring_of(rows)
        metrics = score_rows(rows, scoring)
        if self.by_skill:
            for skill in sorted({skill for row in rows for skill in row['skills']}):
                having = score_rows([row for row in rows if skill in row['skills']], scoring)
                metrics.update({f'skill/{skill}/{name}': value for name, value in having.items()})
        return metrics


class _Scored(NamedTuple):
    """A sample of S expressions whose pixels are being counted.

    Attributes:
        counts (PendingCounts): Of S expressions.
        existence (Tensor, optional): ``(S,)`` float32, of the model's existence head. None: it has none.
        protocol (Protocol): Which scores it.
        described (dict): What else its entry holds.
    """

    counts: PendingCounts
    existence: Optional[Tensor]
    protocol: Protocol
    described: Dict[str, Any]

    def entry(self) -> Dict[str, Any]:
        """What the sample's expressions count, of values that processes can exchange."""
        counts, size = self.counts.read(), len(self.described['text'])
        existence = None if self.existence is None else self.existence.cpu().numpy()
        cases = count_cases(self.protocol.scoring, *counts, existence)
        return dict(
            intersection=cases.intersection.tolist(),
            union=cases.union.tolist(),
            iou=cases.iou.tolist(),
            predicted_pixels=counts.predicted.tolist(),
            target_pixels=counts.target.tolist(),
            existence=[None] * size if existence is None else existence.tolist(),
            rejected=cases.rejected.tolist(),
            **self.described)


def _compared_masks(protocol: Protocol, sample: dict) -> Tuple[Tensor, Tensor]:
    """What was predicted of a sample's S expressions, and what is right: ``(S, ...)`` bool each, where it is scored."""
    truths = [sample['gt_original']]
    if protocol.scoring.uses_ignored and sample.get('gt_ignored') is not None:
        truths.append(sample['gt_ignored'].bool())
    probabilities = sample.get('probabilities_input') if protocol.at_input else sample['probabilities']
    if probabilities is None:
        raise ValueError(
            f'{sample["img_path"]} has no probabilities_input, predictions on the pixels of the input, where protocol '
            f'{protocol.name} scores. A model that has model.protocol={protocol.name} makes them in evaluation; '
            f'predictions that were saved on the original pixels cannot be scored so. Run mmris test, or choose a '
            f'protocol that scores on the original pixels, such as mmris.')
    if protocol.at_input:
        truths = [protocol.masks_at_input(truth, probabilities.shape[1:]) for truth in truths]
    prediction, target = protocol.masks(probabilities), truths[0]
    for ignored in truths[1:]:
        prediction, target = prediction & ~ignored, target & ~ignored
    return prediction, target


def _existence_of(sample: dict) -> Optional[Tensor]:
    """What the model's existence head says of a sample's S expressions: ``(S,)`` float32. None: it has none."""
    existence = sample.get('existence')
    if existence is None:
        return None
    if tuple(existence.shape) != (len(sample['text']), ):
        raise ValueError(f'{sample["img_path"]} has {len(sample["text"])} expressions, but existence of the shape '
                         f'{tuple(existence.shape)}. The model must give one probability for each expression.')
    return existence.detach().float()


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
                    **{name: entry[name][position] for name in _COUNTED},
                    **{name: entry[name] for name in ('image_pixels', 'protocol', 'resampling', 'threshold')},
                    skills=entry['skills'][position] if entry['skills'] else []))
    return sorted(rows, key=lambda row: [id_order(row[name]) for name in ('sent_id', 'ref_id', 'img_id')])


def _dump(rows: List[dict], path: str) -> None:
    with write_atomically(path) as temporary, open(temporary, 'w', encoding='utf-8') as file:
        for row in rows:
            # Ids of other data sets may be NumPy's, or of a type that JSON lacks.
            file.write(json.dumps(row, ensure_ascii=False, default=_plain) + '\n')


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, 'item') else str(value)
