"""The work of ``mmris inspect_masking``."""

import argparse
from pathlib import Path
from typing import List

import numpy as np

from mmris.apis.masking import BranchMasking, Masking, MaskingPredictor
from mmris.apis.own_images import open_image
from mmris.evaluation.iou import iou_scores
from mmris.utils.configs import check_output
from mmris.utils.terminal import one_line
from mmris.visualization import COLOURS, spotlight
from mmris.visualization.masking import dim, draw_words, hide, rise, share_of
from mmris.visualization.panels import Panel, draw_panels, overlay_heatmap
from mmris.visualization.plots import FIGURE_SUFFIXES, save_figure

_EXPLAINED = (
    'Selected: what the filter lets be masked; the rest is dark. Masked: one draw; training draws anew at each step. '
    'The numbers below are shares of the image and of the predicted mask. Words: a bar is what the filter selects by, '
    'bold words are selected, grey ones are masked. Prediction: what the model predicts then, and its IoU with the '
    'prediction on the left.')


def main(arguments: argparse.Namespace) -> None:
    check_output(arguments.out, FIGURE_SUFFIXES)
    image = open_image(arguments, MaskingPredictor)
    rows = []
    for sentence in arguments.sentences:
        masking = image.predictor.mask(sentence, seed=arguments.seed)
        rows.append((sentence, draw_row(image.pixels, masking)))
    subtitle = f'{one_line(Path(arguments.image).name)}, seed {arguments.seed}. {_EXPLAINED}'
    figure = draw_panels(rows, title=f'What {Path(arguments.config).stem} masks', subtitle=subtitle)
    save_figure(figure, arguments.out)
    names = ', '.join(image.predictor.model.distillation)
    print(f'{one_line(arguments.out)}: {len(rows)} sentences, branches {names}')


def draw_row(image: np.ndarray, masking: Masking) -> List[Panel]:
    """The prediction, then what each branch masks and predicts."""
    mask = masking.prediction.masks[0]
    panels = [Panel('Whole', '', image, 'image'), Panel('Whole', '', spotlight(image, mask, COLOURS[1]), 'prediction',
                                                        f'{100 * mask.mean():.1f}% of the image')]
    for branch in masking.branches:
        panels += draw_branch(image, mask, branch)
    return panels


def draw_branch(image: np.ndarray, mask: np.ndarray, branch: BranchMasking) -> List[Panel]:
    """What a branch rates, selects and masks, and what is predicted then."""
    what = ' and '.join(name for name in ('patches', 'words') if getattr(branch, name) is not None)
    panels = []

    def add(picture: np.ndarray, title: str, note: str = '') -> None:
        panels.append(Panel(branch.name, f'masks {what}', picture, title, note))

    patches, words = branch.patches, branch.words
    if patches is not None:
        if patches.ratings is not None:
            rated = patches.ratings[patches.candidates]
            heat = rise(np.where(patches.candidates, patches.ratings, rated.min()))
            add(overlay_heatmap(image, heat), 'correlation', f'dot product {rated.min():.3g} to {rated.max():.3g}')
        for title, pixels, picture in (('selected', patches.selected, dim), ('masked', patches.masked, hide)):
            if pixels is not None:
                note = f'image {share_of(pixels, patches.candidates)}, mask {share_of(pixels, mask)}'
                add(picture(image, pixels), title, note)
    if words is not None:
        count = sum(word.masked for word in words)
        add(draw_words(words, image.shape), 'words', f'{count} of {len(words)} masked')
    other = branch.prediction.masks[0]
    iou = iou_scores((mask & other).sum(), (mask | other).sum())
    add(spotlight(image, other, COLOURS[1]), 'prediction', f'IoU {iou:.2f}')
    return panels
