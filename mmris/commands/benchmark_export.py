"""The work of ``mmris benchmark_export``."""

import argparse
import statistics
import sys
import tempfile
import time
from copy import deepcopy
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.utils import ProgressBar

from mmris.apis import Predictor
from mmris.export import compare_logits, export_model, form_size, mask_ious
from mmris.registry import DATASETS
from mmris.runtime import OnnxPredictor
from mmris.utils.configs import check_output, choose_checkpoint, read_config
from mmris.utils.json_files import write_json_file
from mmris.utils.machine import machine_name
from mmris.utils.pretrained import forget_pretrained
from mmris.utils.tables import markdown_table
from mmris.web.examples import EXAMPLES

TORCH = 'PyTorch'
# Masks whose IoU is lower are counted.
ENOUGH = 0.95
_PICTURE, _SENTENCES = EXAMPLES[0]


def main(options: argparse.Namespace) -> None:
    check_output(options.out)
    torch.set_num_threads(1)
    results: Dict[str, Any] = dict(machine=machine_name(), sentences=options.sentences, models={})
    for model in options.models:
        print(f'{model} ...', file=sys.stderr)
        results['models'][model] = measure(model, options)
        if options.out is not None:
            write_json_file(options.out, results)
    print(f'{results["machine"]}, {options.sentences} sentences an image\n\n{format_results(results["models"])}')


def measure(model: str, options: argparse.Namespace) -> Dict[str, Any]:
    """Size, time and agreement of each form of one model."""
    predictor, trained = load(model, options)
    with tempfile.TemporaryDirectory() as folder:
        card = export_model(predictor, Path(folder) / 'exported', forms=options.forms)
        found = {form: OnnxPredictor(Path(folder) / 'exported', form=form, threads=1) for form in card['forms']}
        seconds = measure_time(predictor, found, options)
        whole = statistics.median(seconds[TORCH])
        forms = {
            form: dict(
                megabytes=form_size(card, form) / 1e6,
                logits_differ_by=compare_logits(predictor, exported, _PICTURE, _SENTENCES),
                seconds=seconds[form],
                time_over_torch=statistics.median(seconds[form]) / whole) for form, exported in found.items()
        }
        if trained:
            ious = compare_masks(predictor, found, options)
            for form, values in ious.items():
                forms[form].update(
                    masks=len(values), mean_iou=float(values.mean()), below=float((values < ENOUGH).mean()))
    return dict(seconds=seconds[TORCH], forms=forms)


def load(model: str, options: argparse.Namespace) -> Tuple[Predictor, bool]:
    """The predictor of an argument, and whether its weights are trained."""
    name, _, checkpoint = model.partition('=')
    named = argparse.Namespace(**vars(options), config=name, checkpoint=checkpoint or None, cfg_options=None)
    config, weights = read_config(named), choose_checkpoint(named)
    if weights is None:
        torch.manual_seed(0)
        forget_pretrained(config.model)
        # Any words do, and the config's may be a file to get.
        lengths = {name: value for name, value in config.inputs.tokenizer.items()
                   if name in ('context_length', 'pad_to_longest')}
        config.inputs.tokenizer = dict(type='WordTokenizer', vocabulary='shaperef_full', **lengths)
    return Predictor(config, weights, device='cpu'), weights is not None


def measure_time(predictor: Predictor, found: Dict[str, OnnxPredictor],
                 options: argparse.Namespace) -> Dict[str, List[float]]:
    """Seconds from the pixels of a photograph to logits, in turns."""
    pixels = np.asarray(predictor.read(_PICTURE).pixels)
    asked: Dict[str, Callable] = {TORCH: predictor, **found}
    seconds: Dict[str, List[float]] = {name: [] for name in asked}
    progress = ProgressBar(len(asked) * (options.repetitions + 1), file=sys.stderr)
    for turn in range(options.repetitions + 1):
        # Sentences that were asked before would not be encoded again.
        sentences = [f'{_SENTENCES[0]} {turn} {number}' for number in range(options.sentences)]
        for name, one in asked.items():
            start = time.perf_counter()
            one.logits(sentences, image=one.set_image(pixels))
            # Memory and plans are made at the first turn.
            if turn:
                seconds[name].append(time.perf_counter() - start)
            progress.update()
    sys.stderr.write('\n')
    return seconds


def compare_masks(predictor: Predictor, found: Dict[str, OnnxPredictor],
                  options: argparse.Namespace) -> Dict[str, np.ndarray]:
    """IoU of the masks of each form with those of PyTorch, on images of the val split."""
    dataset = open_split(predictor.model.cfg)
    ious: Dict[str, List[np.ndarray]] = {form: [] for form in found}
    for index in range(min(options.images, len(dataset))):
        info = dataset.get_data_info(index)
        predictor.set_image(info['img_path'])
        wanted = predictor.predict(info['text'])
        for form, exported in found.items():
            exported.set_image(info['img_path'])
            ious[form].append(mask_ious(wanted.masks, exported.predict(info['text']).masks))
    return {form: np.concatenate(values) for form, values in ious.items()}


def open_split(config: Config) -> Any:
    """The val split of a config."""
    init_default_scope(config.get('default_scope', 'mmris'))
    return DATASETS.build(deepcopy(config.val_dataloader.dataset))


def format_results(models: Dict[str, Dict[str, Any]]) -> str:
    heading = ['model', 'form', 'MB', 'logits differ by', 'time, PyTorch = 1', 'mean IoU', f'masks below {ENOUGH}']
    rows = []
    for model, result in models.items():
        path = Path(model.partition('=')[0])
        name = f'{path.parent.name}/{path.stem}' if path.parent.name else path.stem
        rows.append([name, TORCH, '', '', f'{statistics.median(result["seconds"]):.3f} s', '', ''])
        rows += [['', form, *form_cells(values)] for form, values in result['forms'].items()]
    return markdown_table(heading, rows)


def form_cells(values: Dict[str, Any]) -> List[Optional[str]]:
    """The cells of one form."""
    masks = ['', ''] if 'mean_iou' not in values else [f'{values["mean_iou"]:.4f}', f'{100 * values["below"]:.1f}%']
    return [f'{values["megabytes"]:.1f}', f'{values["logits_differ_by"]:.1e}', f'{values["time_over_torch"]:.2f}',
            *masks]
