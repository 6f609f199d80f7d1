"""The work of ``mmris export``."""

import argparse
from pathlib import Path
from typing import Any, Dict, List

from mmris.apis import Predictor
from mmris.export import COUNTS, compare_logits, export_model, form_size, mask_ious
from mmris.prediction import Prediction
from mmris.runtime import OnnxPredictor
from mmris.utils.configs import check_inputs, check_output, choose_checkpoint, read_config
from mmris.utils.tables import markdown_table
from mmris.utils.terminal import one_line
from mmris.web.examples import EXAMPLES
from mmris.zoo import find_weights


def main(options: argparse.Namespace) -> None:
    check_output(options.out, folder=True)
    check_inputs(image=options.image)
    checkpoint = choose_checkpoint(options)
    predictor = Predictor.trained(
        read_config(options), checkpoint, device='cpu', threshold=options.threshold,
        existence_threshold=options.existence_threshold)
    weights = None if checkpoint is None else Path(find_weights(checkpoint))
    card = export_model(
        predictor, options.out, forms=options.forms, weights=weights if weights and weights.is_file() else None,
        say=print)
    example = EXAMPLES[0]
    image = options.image or example.path
    predictor.set_image(image)
    wanted = predictor.predict(example.sentences)
    rows = [describe(form, card, predictor, OnnxPredictor(options.out, form=form), image, wanted)
            for form in card['forms']]
    counts = f'{", ".join(map(str, COUNTS[:-1]))} and {COUNTS[-1]}'
    print(markdown_table(['form', 'MB', 'logits differ by', 'IoU of masks'], rows))
    print(f'{one_line(str(options.out))}: compared with PyTorch on {one_line(Path(image).name)}, {counts} sentences at '
          f'once')


def describe(form: str, card: Dict[str, Any], predictor: Predictor, exported: OnnxPredictor, image: Path,
             wanted: Prediction) -> List[Any]:
    """A row of the table: size of a form's graphs, and how near it comes to PyTorch."""
    difference = compare_logits(predictor, exported, image, wanted.sentences)
    exported.set_image(image)
    ious = mask_ious(wanted.masks, exported.predict(wanted.sentences).masks)
    return [form, f'{form_size(card, form) / 1e6:.1f}', f'{difference:.1e}', f'{ious.mean():.3f}']
