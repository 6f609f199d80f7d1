"""Draw where a model looks for a sentence: the attention of encoder, neck and decoder beside the prediction.

    python tools/analysis_tools/attention_maps.py configs/shared_ris/tiny_shaperef.py \
        work_dirs/tiny_shaperef/best_mIoU_epoch_4.pth photo.jpg "the red circle" "the star on the left" \
        --out attention.png
"""

import argparse
from pathlib import Path
from typing import List

import numpy as np

from mmris.apis.attention import AttentionMap, AttentionPredictor, summarise_maps
from mmris.apis.attention_probes import PIXELS_ON_WORDS
from mmris.apis.mask_files import add_mask_arguments, masks_of_image
from mmris.apis.predictor import read_image
from mmris.utils.configs import (
    add_checkpoint_argument,
    add_config_arguments,
    check_inputs,
    read_config,
    scoring_threshold,
)
from mmris.visualization import COLOURS, spotlight
from mmris.visualization.attention import AttentionPanel, draw_attention, heat_over
from mmris.visualization.plots import save_figure


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw where a model looks for a sentence.')
    add_config_arguments(parser)
    add_checkpoint_argument(parser)
    parser.add_argument('image', help='image file')
    parser.add_argument('sentences', nargs='+', metavar='sentence', help='a row each; quote each sentence')
    add_mask_arguments(parser)
    parser.add_argument(
        '--brief', action='store_true', help='as Shared-RIS shows it: last layers, and the mean over a neck\'s stages')
    parser.add_argument('--threshold', type=float, help='probability of a mask (default: that of the config\'s scores)')
    parser.add_argument('--device', help='such as cpu or cuda:0 (default: a GPU where there is one)')
    parser.add_argument('--out', default='attention.png', help='picture to write (default: %(default)s)')
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    check_inputs(checkpoint=arguments.checkpoint, image=arguments.image)
    config = read_config(arguments)
    image = read_image(arguments.image)
    predictor = AttentionPredictor.trained(config, arguments.checkpoint, arguments.device)
    instances = masks_of_image(arguments, predictor, image.shape[:2])
    predictor.set_image(image, instances.masks)
    if instances.note:
        print(instances.note)
    threshold = scoring_threshold(config) if arguments.threshold is None else arguments.threshold
    rows = []
    for sentence in arguments.sentences:
        attention = predictor.look(sentence)
        maps = summarise_maps(attention.maps) if arguments.brief else attention.maps
        rows.append((sentence, draw_row(image, attention.probabilities > threshold, maps)))
    count = 0 if instances.masks is None else len(instances.masks)
    given = f', {count} instance masks' if predictor.takes_instance_masks else ''
    subtitle = f'{Path(arguments.image).name}{given}. {explain(maps, predictor.takes_instance_masks)}'
    figure = draw_attention(rows, title=f'Attention of {Path(arguments.config).stem}', subtitle=subtitle)
    save_figure(figure, arguments.out)
    print(f'{arguments.out}: {len(rows)} sentences, {len(rows[0][1]) - 2} maps of each')


def draw_row(image: np.ndarray, mask: np.ndarray, maps: List[AttentionMap]) -> List[AttentionPanel]:
    """Image, maps, prediction."""
    panels = [AttentionPanel('Image', '', image)]
    panels += [
        AttentionPanel(one.part.capitalize(), one.kind, heat_over(image, one.heat), one.name, describe(one))
        for one in maps
    ]
    note = f'{100 * mask.mean():.1f}% of the image'
    return [*panels, AttentionPanel('Prediction', '', spotlight(image, mask, COLOURS[1]), 'mask', note)]


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


if __name__ == '__main__':
    main()
