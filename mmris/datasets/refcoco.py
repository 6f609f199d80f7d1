"""RefCOCO, RefCOCO+, RefCOCOg and all else in their published format."""

import logging
import os
import pickle
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from mmengine.utils import ProgressBar

from mmris.names import CONTROLS, MASK_CONTROLS, SENTENCE_CONTROLS
from mmris.registry import DATASETS
from mmris.utils import seed_all
from mmris.utils.memory import gc_paused

from .controls import apply_control
from .exclusion import exclude_images, read_excluded_splits
from .grouping import EXPRESSION_KEYS, GROUPS, group_expressions, place_of_image
from .instance_masks import add_instances, complete_settings
from .problems import SKIP_ADVICE, Problem, ProblemTally, raise_problem
from .refer_files import read_refer_files
from .referred_images import Reading, collect_images, drop_undecodable
from .splits import hint_at_split
from .transforms.loading import LoadImage, load_sample_image


@DATASETS.register_module()
class RefCOCODataset(BaseDataset):
    """Images with expressions, from ``instances.json`` and ``refs(unc|google|umd|berkeley).p`` as published.

    A sample is one image with S expressions, grouped as ``group_by`` says: ``'image'`` all of an image (evaluation:
    the image is encoded once), ``'ref'`` all of one object, ``'expression'`` each alone.

    Args:
        split (str): ``'train'``, ``'val'``, ``'testA'``, ... as the refs file names it. As in the original reader, refs
            of ``testAB`` belong to ``testA`` and to ``testB``, and ``'test'`` takes those of all test splits.
        refs_file (str): Refs file below ``data_root``: a pickle, JSON or JSON Lines, whatever its name says.
        ann_file (str): COCO annotations below ``data_root``. Defaults to ``'instances.json'``.
        data_root (str): Folder of the set. Defaults to ''.
        data_prefix (dict): ``img_path``: the images' folder, below ``data_root`` or absolute.
        group_by (str): ``'image'``, ``'ref'`` or ``'expression'``. Defaults to ``'image'``.
        expressions_per_image (int, optional): How many expressions of a sample are drawn (all where it has fewer).
            The draw is a function of ``seed``, epoch and index, so it needs ``ReferringSampler``, which tells the
            epoch. Defaults to None: all, in order.
        text_field (str): ``'sent'`` (cleaned, lower case) or ``'raw'`` (as typed). Defaults to ``'sent'``.
        control (str, optional): A control of what a model takes from sentences: ``'exchanged'`` scores each sentence
            against another object of its image, ``'empty'`` empties all sentences. Of what it takes from instance
            masks: ``'shuffled_masks'`` gives each image those of the next, ``'no_masks'`` none. Defaults to None.
        instance_masks (dict, optional): What a segmenter found, for :class:`LoadInstanceMasks`: ``file``, a COCO
            results file below ``data_root``; ``min_score``, below which masks are left out (0.3);
            ``max_instances`` of an image, the surest (32); ``problems``: ``'raise'`` (the default): malformed masks and
            images that the file lacks are errors, ``'skip'``: such masks are left out, such images have none, and a
            warning a kind counts them. Defaults to None: nobody looked.
        bad_data (str): ``'raise'``: the first bad entry of the split is an error. ``'skip'``: bad entries are left out
            and counted by kind (:attr:`skipped`): a bad sentence costs itself, a bad mask its refs, a bad image all its
            refs. Each image and mask is decoded once before anything starts. Default: ``'raise'``.
        exclude (dict[str, dict], optional): Whose images are left out, for a training that none of them may leak
            into: by a name of one's choice ``dict(refs_file=..., splits=[...])``, where ``refs_file`` lies below
            ``data_root``, or None for an entry that a config takes back. An image is known by its id, which is COCO's
            in all sets. Defaults to None: none.
        image_share (tuple[float, float], optional): Take only images whose ids hash to a number in ``[low, high)`` of
            ``[0, 1)``: ``(0.05, 1)`` to train on and ``(0, 0.05)`` to choose checkpoints on, where a set has no split
            for that. Default: None, all.
        seed (int): Seed of the draws, beside the run's own, which the sampler tells. Defaults to 0.
        **kwargs: ``pipeline``, ``test_mode`` and others of ``mmengine.dataset.BaseDataset``.

    Raises:
        FileNotFoundError: If a file is missing, or an image (the first missing one is named).
        ValueError: If ``split`` is not in the file (those there are get listed), or an option has an unknown value.
        ValueError: If ``control`` is about instance masks and there are none.
        FileNotFoundError, ValueError: If the file of ``instance_masks`` is missing, malformed, or of other images.
        FileNotFoundError, ValueError: If what ``exclude`` names is missing, or is of other images by the same ids.
        ValueError: If a ref of the split, or its annotation or image, is malformed or missing, its segmentation is
            malformed, or a sentence is empty; with ``test_mode`` also if two sentences have the same pair of ref id and
            sentence id. The message names file and id.
    """

    METAINFO = dict(classes=('background', 'referent'))

    def __init__(self,
                 *,
                 split: str,
                 refs_file: str,
                 ann_file: str = 'instances.json',
                 data_root: str = '',
                 data_prefix: dict = dict(img_path='images'),
                 group_by: str = 'image',
                 expressions_per_image: Optional[int] = None,
                 text_field: str = 'sent',
                 control: Optional[str] = None,
                 instance_masks: Optional[Mapping[str, Any]] = None,
                 bad_data: str = 'raise',
                 exclude: Optional[Mapping[str, Optional[dict]]] = None,
                 image_share: Optional[Tuple[float, float]] = None,
                 seed: int = 0,
                 pipeline: Sequence[Union[dict, Callable]] = (),
                 **kwargs) -> None:
        _check_names(data_prefix, kwargs)
        _check_choice('group_by', group_by, GROUPS)
        _check_choice('text_field', text_field, ('sent', 'raw'))
        _check_choice('control', control, (None, *CONTROLS))
        _check_choice('bad_data', bad_data, ('raise', 'skip'))
        if expressions_per_image is not None and expressions_per_image < 1:
            raise ValueError(f'expressions_per_image must be at least 1, but got {expressions_per_image}.')
        if control in MASK_CONTROLS and instance_masks is None:
            raise ValueError(f'The control {control} is about instance masks, but the data set has none: set '
                             f'instance_masks=dict(file=...), or choose one of {", ".join(SENTENCE_CONTROLS)}.')
        if image_share is not None and not (len(image_share) == 2 and 0 <= image_share[0] < image_share[1] <= 1):
            raise ValueError(f'image_share is a pair of numbers in [0, 1] in rising order, such as (0.05, 1), but got '
                             f'{image_share!r}.')
        self.split = split
        self.refs_file = os.path.join(data_root, refs_file)
        self.group_by = group_by
        self.expressions_per_image = expressions_per_image
        self.text_field = text_field
        self.control = control
        self.instance_masks = None if instance_masks is None else complete_settings(instance_masks)
        self.bad_data = bad_data
        self.exclude = exclude
        self.image_share = image_share
        self.seed = seed
        self._skipped, self._repairs = ProblemTally(), ProblemTally()
        # The run's seed and the epoch. In shared memory: workers that outlive an epoch see the next one too.
        self._draw = torch.zeros(2, dtype=torch.int64).share_memory_()
        self._epoch_is_set = torch.zeros(1, dtype=torch.bool).share_memory_()
        super().__init__(
            ann_file=ann_file, data_root=data_root, data_prefix=data_prefix, pipeline=list(pipeline), **kwargs)

    def set_epoch(self, epoch: int, seed: int = 0) -> None:
        """Set the epoch, and the seed of the run, that draws of expressions belong to."""
        self._draw.copy_(torch.tensor([seed, epoch]))
        self._epoch_is_set.fill_(True)

    def prepare_data(self, idx: int) -> Optional[dict]:
        """Run the pipeline on sample ``idx``.

        Once the epoch is known, whatever transforms draw from the CPU's global generators is a function of seed, epoch
        and index: neither of the worker that runs them nor of an interruption.
        """
        if self._epoch_is_set and not self.test_mode:
            # Transforms draw on the CPU. To seed devices would take 0.4 ms, even if there are none.
            seed_all(self.seed, *self._draw.tolist(), idx, devices=False)
        return super().prepare_data(idx)

    def full_init(self) -> None:
        """Load; a test set also tells the metric how many expressions are to be scored."""
        if not self._fully_initialized:
            super().full_init()
            if self.test_mode:
                self._metainfo['num_expressions'] = self.num_expressions

    @property
    def num_expressions(self) -> int:
        """int: Expressions of all samples, as many of each as are drawn."""
        counts = (len(super(RefCOCODataset, self).get_data_info(index)['text']) for index in range(len(self)))
        return sum(min(count, self.expressions_per_image or count) for count in counts)

    def load_data_list(self) -> List[dict]:
        """Read the files and make the list of samples."""
        with gc_paused():
            images = self._read_images()
        if self.bad_data == 'skip':
            images = self._drop_undecodable(images)
        if self.instance_masks is not None:
            images = add_instances(images, self.instance_masks, self.data_root)
        images = apply_control(self.control, images)
        samples = [sample for image in images for sample in group_expressions(image, self.group_by)]
        self._warn(sum(len(sample['text']) for sample in samples))
        if not samples:
            raise ValueError(f'No expression is left of split {self.split!r} of {self.refs_file}.')
        return samples

    def _serialize_data(self) -> Tuple[np.ndarray, np.ndarray]:
        """Put all samples into one array, as the base does, which then lets the garbage collector walk through all.

        Nothing here is in a cycle: samples are gone with the list.
        """
        parts = [pickle.dumps(sample, protocol=4) for sample in self.data_list]
        self.data_list.clear()
        return np.frombuffer(b''.join(parts), dtype=np.uint8), np.cumsum([len(part) for part in parts])

    def get_data_info(self, idx: int) -> dict:
        """Get sample ``idx``, with a draw of its expressions if ``expressions_per_image`` is set."""
        info = super().get_data_info(idx)
        count = len(info['text'])
        if self.expressions_per_image is None or count <= self.expressions_per_image:
            return info
        generator = np.random.default_rng((self.seed, *self._draw.tolist(), info['sample_idx']))
        drawn = generator.choice(count, self.expressions_per_image, replace=False)
        return {**info, **{key: [info[key][position] for position in drawn] for key in EXPRESSION_KEYS if key in info}}

    def _read_images(self) -> List[dict]:
        files = read_refer_files(
            self.ann_file,
            self.refs_file,
            image_folder=self.data_prefix['img_path'],
            split=self.split,
            report=self._report)
        if self.split not in files.splits and not files.refs:
            raise ValueError(
                f'split {self.split!r} is not in {self.refs_file}. Splits there: {", ".join(files.splits)}.'
                f'{hint_at_split(self.split, files.splits)}')
        files.left_out.warn(self.refs_file, 'left out')
        refs = files.refs
        if self.exclude is not None:
            excluded = read_excluded_splits(self.exclude, self.data_root)
            refs = exclude_images(refs, files, excluded, name=f'{self.refs_file}, split {self.split}')
        if self.image_share is not None:
            low, high = self.image_share
            refs = [ref for ref in refs if low <= place_of_image(ref['image_id']) < high]
        reading = Reading(
            self.data_prefix['img_path'], self.text_field, self._report, self._repairs, unique_ids=self.test_mode)
        return collect_images(refs, files, reading)

    def _drop_undecodable(self, images: List[dict]) -> List[dict]:
        kept, progress = [], ProgressBar(len(images))
        step = next((one for one in self.pipeline.transforms if isinstance(one, LoadImage)), LoadImage())
        load_image = partial(load_sample_image, upright=step.upright, backend_args=step.backend_args)
        for image in images:
            kept.append(drop_undecodable(image, load_image, self._report))
            progress.update()
        return [image for image in kept if image is not None]

    def _report(self, problem: Problem) -> None:
        if self.bad_data == 'raise':
            raise_problem(problem, SKIP_ADVICE)
        self._skipped.report(problem)

    @property
    def skipped(self) -> Dict[str, int]:
        """dict[str, int]: How many broken entries were left out, by their kind."""
        return self._skipped.counts

    def _warn(self, expressions: int) -> None:
        where = f'{self.refs_file}, split {self.split}'
        self._repairs.warn(where, 'repaired')
        self._skipped.warn(where)
        if self.skipped:
            print_log(f'{where}: {expressions:,} expressions are left.', logger='current', level=logging.WARNING)


# Arguments of MMDetection's data set of this name, and what does the same here.
_OF_MMDETECTION = dict(
    split_file='refs_file, such as refs_file=\'refs(unc).p\'',
    text_mode='group_by=\'expression\' for \'original\'; group_by=\'ref\' with expressions_per_image=1 for '
    '\'random\', which draws anew in each epoch; \'concat\' and \'select_first\' have none')


def _check_names(data_prefix: Mapping[str, str], others: Mapping[str, Any]) -> None:
    """Answer what the data set of MMDetection is told with what this one is told.

    Raises:
        ValueError: If ``data_prefix`` has other keys than ``img_path``.
        ValueError: If ``others`` has an argument of MMDetection's.
    """
    unknown = [key for key in data_prefix if key != 'img_path']
    if unknown or 'img_path' not in data_prefix:
        raise ValueError(f'data_prefix of RefCOCODataset is dict(img_path=FOLDER), the folder of the images, but got '
                         f'{dict(data_prefix)}. MMDetection calls it img and MMSegmentation img_path: write img_path.')
    for name, ours in _OF_MMDETECTION.items():
        if name in others:
            raise ValueError(f'RefCOCODataset has no {name}, which is an argument of MMDetection\'s data set of this '
                            f'name. Here it is {ours}.')


def _check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    if value not in choices:
        raise ValueError(f'{name} must be one of {", ".join(map(repr, choices))}, but got {value!r}.')
