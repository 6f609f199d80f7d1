"""The work of ``mmris attention_maps``."""

import argparse
from pathlib import Path
from typing import List

import numpy as np

from mmris.apis.attention import AttentionMap, AttentionPredictor, summarise_maps
from mmris.apis.attention_probes import PIXELS_ON_WORDS
from mmris.apis.own_images import open_image
from mmris.utils.configs import check_output
from mmris.utils.terminal import one_line
from mmris.visualization import COLOURS, spotlight
from mmris.visualization.panels import Panel, draw_panels, overlay_heatmap
from mmris.visualization.plots import FIGURE_SUFFIXES, save_figure


def main(arguments: argparse.Namespace) -> None:
    check_output(arguments.out, FIGURE_SUFFIXES)
    image = open_image(arguments, AttentionPredictor)
    instances, takes_instances = image.instances.masks, image.predictor.takes_instance_masks
    rows = []
    for sentence in arguments.sentences:
        attention = image.predictor.look(sentence)
        maps = summarise_maps(attention.maps) if arguments.brief else attention.maps
        rows.append((sentence, draw_row(image.pixels, attention.prediction.masks[0], maps)))
    count = 0 if instances is None else len(instances)
    given = f', {count} instance masks' if takes_instances else ''
    subtitle = f'{one_line(Path(arguments.image).name)}{given}. {explain(maps, takes_instances)}'
    figure = draw_panels(rows, title=f'Attention of {Path(arguments.config).stem}', subtitle=subtitle)
    save_figure(figure, arguments.out)
    print(f'{one_line(arguments.out)}: {len(rows)} sentences, {len(rows[0][1]) - 2} maps of each')


def draw_row(image: np.ndarray, mask: np.ndarray, maps: List[AttentionMap]) -> List[Panel]:
    """Image, maps, prediction."""
    panels = [Panel('Image', '', image)]
    panels += [
        Panel(one.part.capitalize(), one.kind, overlay_heatmap(image, one.heat), one.name, describe(one))
        for one in maps
    ]
    note = f'{100 * mask.mean():.1f}% of the image'
    return [*panels, Panel('Prediction', '', spotlight(image, mask, COLOURS[1]), 'mask', note)]


def explain(maps: List[AttentionMap], instances: bool) -> str:
    """What the numbers below maps mean, of a model that takes instance masks or not."""
    sentences = ['Means over heads; bright is the maximum of each map.']
    if any(one.share is not None for one in maps):
        rest = 'words, class token and instances' if instances else 'words and class token'
        sentences.append(f'On patches: how much of the attention; the rest is on {rest}.')
    if any(one.kind == PIXELS_ON_WORDS for one in maps):
        sentences.append('On words: how much of each pixel\'s attention; the rest is on start and end token.')
    return ' '.join(sentences)


def describe(one: AttentionMap) -> str:
    """The numbers of a map."""
    if one.share is not None:
        return f'{100 * one.share:.0f}% on patches'
    low, high = one.values.min(), one.values.max()
    if one.kind == PIXELS_ON_WORDS:
        return f'{100 * low:.0f} to {100 * high:.0f}% on words'
    return f'dot product {low:.3g} to {high:.3g}'
