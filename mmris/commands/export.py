"""The work of ``mmris export``."""

import argparse
from pathlib import Path
from typing import Any, Dict, List

import numpy as np

from mmris.apis import Predictor
from mmris.export import COUNTS, check_goal, compare_logits, export_model, form_size, mask_ious
from mmris.prediction import Prediction
from mmris.runtime import OnnxPredictor
from mmris.utils.configs import check_inputs, check_output, choose_checkpoint, read_config
from mmris.utils.tables import markdown_table
from mmris.utils.terminal import one_line
from mmris.web.examples import EXAMPLES
from mmris.zoo import find_weights


def main(options: argparse.Namespace) -> None:
    check_output(options.out, folder=True)
    check_goal(options.out)
    check_inputs(image=options.image)
    checkpoint = choose_checkpoint(options)
    predictor = Predictor.trained(
        read_config(options), checkpoint, device='cpu', threshold=options.threshold,
        existence_threshold=options.existence_threshold)
    weights = None if checkpoint is None else Path(find_weights(checkpoint))
    example = EXAMPLES[0]
    # A broken image is noticed before the work.
    image = predictor.read(options.image or example.path)
    card = export_model(
        predictor, options.out, forms=options.forms, weights=weights if weights and weights.is_file() else None,
        say=print)
    predictor.set_image(image.pixels)
    wanted = predictor.predict(example.sentences)
    rows = [table_row(form, card, predictor, OnnxPredictor(options.out, form=form), image.pixels, wanted)
            for form in card['forms']]
    counts = f'{", ".join(map(str, COUNTS[:-1]))} and {COUNTS[-1]}'
    print(markdown_table(['form', 'MB', 'logits differ by', 'IoU of masks'], rows))
    picture = one_line(Path(image.path).name)
    print(f'{one_line(str(options.out))}: compared with PyTorch on {picture}, {counts} sentences at once')
    broken = [row[0] for row in rows if row[2] == 'nan']
    if broken:
        raise RuntimeError(f'{", ".join(broken)} of {options.out} gives logits that are no numbers: do not use it. '
                           f'Weights or activations may be too large for the form; export another.')


def table_row(form: str, card: Dict[str, Any], predictor: Predictor, exported: OnnxPredictor, image: np.ndarray,
              wanted: Prediction) -> List[Any]:
    """A row of the table: size of a form's graphs, and how near it comes to PyTorch."""
    difference = compare_logits(predictor, exported, image, wanted.sentences)
    exported.set_image(image)
    ious = mask_ious(wanted.masks, exported.predict(wanted.sentences).masks)
    return [form, f'{form_size(card, form) / 1e6:.1f}', f'{difference:.1e}', f'{ious.mean():.3f}']
