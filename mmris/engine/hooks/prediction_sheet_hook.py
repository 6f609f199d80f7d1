"""A picture of the same few predictions at each validation."""

from hashlib import blake2b
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.visualization import LocalVisBackend
from PIL import Image

from mmris.datasets.transforms.loading import read_sample_image
from mmris.evaluation import MEANS, ReferringIoUMetric
from mmris.protocols import Protocol
from mmris.registry import HOOKS
from mmris.structures import ReferringDataSample
from mmris.utils import write_atomically
from mmris.visualization import ScoredPrediction, draw_prediction_sheet, mean_iou

from ..progress import is_training, progress_of

# Where a sample stands in the order that seed and ids alone decide: of its image, then of its expression.
_Order = Tuple[bytes, bytes]


@HOOKS.register_module()
class PredictionSheetHook(Hook):
    """Draws ``predictions/epoch_0001.png`` (or ``iter_000150.png``) in the work folder at each validation.

    It keeps what the validation predicted for its expressions, and predicts nothing itself: the sheet shows the very
    masks that were scored, with whatever weights were in place (also averaged ones), and neither the model nor random
    numbers are touched. If the protocol scores at the input, masks are drawn on the original pixels, and the IoU is
    that at the input. The expressions, each of another image, are those whose ids hash lowest, so the same at each
    validation, after a restart, and with any number of processes. Visualizer backends that keep pictures of their
    own (TensorBoard, W&B) get the sheet too, as ``val/predictions``.

    Args:
        number (int): Expressions on the sheet. Defaults to 8.
        interval (int): Draw at every n-th validation, and at the last. Defaults to 1.
        threshold (float, optional): Pixels of higher probability are drawn. Default: None, the metric's, or else the
            protocol's.
        seed (int): Another seed, other expressions. Defaults to 0.

    Raises:
        ValueError: If ``number`` or ``interval`` is below 1, or ``threshold`` not in [0, 1).
    """

    priority = 'LOW'

    def __init__(self,
                 *,
                 number: int = 8,
                 interval: int = 1,
                 threshold: Optional[float] = None,
                 seed: int = 0) -> None:
        for name, value in dict(number=number, interval=interval).items():
            if value < 1:
                raise ValueError(f'{name} of PredictionSheetHook must be at least 1, but got {value}.')
        if threshold is not None and not 0 <= threshold < 1:
            raise ValueError(f'threshold of PredictionSheetHook is a probability in [0, 1), but got {threshold}.')
        self.number = number
        self.interval = interval
        self.threshold = threshold
        self.seed = seed
        self._due = False
        # One expression an image, by the image's id.
        self._kept: Dict[int, Tuple[_Order, dict]] = {}

    def before_val_epoch(self, runner: Runner) -> None:
        """Begin to keep predictions, if this validation is to be drawn."""
        self._kept.clear()
        self._due = is_training(runner) and _is_due(runner, self.interval)

    def after_val_iter(self,
                       runner: Runner,
                       batch_idx: int,
                       data_batch: Optional[dict] = None,
                       outputs: Optional[Sequence[ReferringDataSample]] = None) -> None:
        """Keep those of the batch that belong on the sheet."""
        if self._due:
            metric = _metric(runner) if self.threshold is None else ReferringIoUMetric(threshold=self.threshold)
            for sample in outputs:
                self._consider(sample, metric.protocol_of(sample))

    def after_val_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        """Draw."""
        if not self._due:
            return
        everyone = [pair for part in all_gather_object(list(self._kept.values())) for pair in part]
        self._kept.clear()
        if not is_main_process():
            return
        entries = _first_of_each_image(everyone)[:self.number]
        try:
            self._draw(runner, [_with_image(entry) for entry in entries], metrics or {})
        except Exception as error:
            # A picture is no reason to end a training.
            runner.logger.warning(f'The sheet of predictions was not drawn: {error}')

    def _consider(self, sample: ReferringDataSample, protocol: Protocol) -> None:
        orders = [
            (self._hash(sample.img_id), self._hash(sample.img_id, *ids)) for ids in zip(sample.ref_ids, sample.sent_ids)
        ]
        position = min(range(len(orders)), key=orders.__getitem__)
        order, rival = orders[position], None
        if sample.img_id in self._kept:
            rival = sample.img_id
        elif len(self._kept) == self.number:
            rival = max(self._kept, key=lambda image: self._kept[image][0])
        if rival is not None and order >= self._kept[rival][0]:
            return
        self._kept.pop(rival, None)
        self._kept[sample.img_id] = (order, dict(
            text=sample.text[position],
            img_id=sample.img_id,
            img_path=sample.img_path,
            upright=sample.get('upright', False),
            target=sample.gt_original[position].cpu().numpy(),
            mask=protocol.masks(sample.probabilities[position]).cpu().numpy(),
            scoring=protocol.scoring,
            existence=None if sample.get('existence') is None else float(sample.existence[position]),
            at_input=_masks_at_input(sample, position, protocol) if protocol.at_input else None))

    def _hash(self, *ids: int) -> bytes:
        return blake2b('-'.join(map(str, (self.seed, *ids))).encode(), digest_size=8).digest()

    def _draw(self, runner: Runner, predictions: List[ScoredPrediction], metrics: Dict[str, float]) -> None:
        unit, step, _ = progress_of(runner)
        scores = ', '.join(f'{name} {metrics[name]:.1f}' for name in ('oIoU', 'cIoU', *MEANS) if name in metrics)
        mean = f'{predictions[0].scoring.mean} {mean_iou(predictions):.1f}'
        sheet = draw_prediction_sheet(
            predictions,
            title=f'{unit.capitalize()} {step}: {mean} on these {len(predictions)}',
            subtitle=f'Drawn once at random (seed {self.seed}) and the same at each validation, not selected'
            f'{f"; all of it: {scores}" if scores else ""}; on the right of each, the IoU')
        name = f'epoch_{step:04d}.png' if unit == 'epoch' else f'iter_{step:06d}.png'
        with write_atomically(Path(runner.work_dir) / 'predictions' / name) as temporary:
            sheet.save(temporary)
        _add_to_backends(runner, sheet, step)


def _first_of_each_image(pairs: Sequence[Tuple[_Order, dict]]) -> List[dict]:
    """In order, the first of each image: processes may hold several expressions of one."""
    entries: Dict[int, dict] = {}
    for _, entry in sorted(pairs, key=lambda pair: pair[0]):
        entries.setdefault(entry['img_id'], entry)
    return list(entries.values())


def _masks_at_input(sample: ReferringDataSample, position: int, protocol: Protocol) -> Tuple[np.ndarray, np.ndarray]:
    """Mask and target of an expression on the input's pixels, where they are scored."""
    probabilities = sample.probabilities_input[position]
    target = protocol.masks_at_input(sample.gt_original[position:position + 1], probabilities.shape)[0]
    return protocol.masks(probabilities).cpu().numpy(), target.cpu().numpy()


def _with_image(entry: dict) -> ScoredPrediction:
    image = read_sample_image(entry['img_path'], entry['upright'])
    kept = {name: entry[name] for name in ('text', 'target', 'mask', 'scoring', 'existence', 'at_input')}
    return ScoredPrediction(image=image, **kept)


def _add_to_backends(runner: Runner, sheet: Image.Image, step: int) -> None:
    for backend in runner.visualizer._vis_backends.values():
        # The local one would write the same picture a second time.
        if not isinstance(backend, LocalVisBackend):
            backend.add_image('val/predictions', np.asarray(sheet), step)


def _metric(runner: Runner) -> ReferringIoUMetric:
    metrics = runner.val_loop.evaluator.metrics
    return next((metric for metric in metrics if isinstance(metric, ReferringIoUMetric)), ReferringIoUMetric())


def _is_due(runner: Runner, interval: int) -> bool:
    _, step, last = progress_of(runner)
    return step == last or -(-step // runner.train_loop.val_interval) % interval == 0
