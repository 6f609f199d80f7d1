"""Draw what a model sees: inputs after the pipeline, sentences as tokenised, and their masks.

    python tools/analysis_tools/browse_dataset.py configs/cm_masksd/vit-tiny_shaperef.py --split train --number 12
"""

import argparse
from pathlib import Path

import numpy as np
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmengine.utils import track_iter_progress
from open_clip.tokenizer import SimpleTokenizer

from mmris.registry import DATASETS
from mmris.utils import write_atomically
from mmris.utils.configs import check_inputs
from mmris.visualization import COLOURS, Panel, draw_sheet, overlay_mask


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw what a model sees.')
    parser.add_argument('config', help='config file')
    parser.add_argument('--loader', choices=['train', 'val', 'test'], default='train', help='whose pipeline to use')
    parser.add_argument('--split', help='split (default: the loader\'s)')
    parser.add_argument('--number', type=int, default=12, help='how many images (default: %(default)s)')
    parser.add_argument('--epoch', type=int, default=0, help='whose draw of sentences to show (default: %(default)s)')
    parser.add_argument('--out', default='browse.png', help='picture to write (default: %(default)s)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='change values of the config')
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    check_inputs(config=arguments.config)
    config = Config.fromfile(arguments.config)
    if arguments.cfg_options is not None:
        config.merge_from_dict(arguments.cfg_options)
    init_default_scope(config.get('default_scope', 'mmris'))
    dataset_config = config[f'{arguments.loader}_dataloader'].dataset
    if arguments.split is not None:
        dataset_config.split = arguments.split
    dataset_config.pipeline = input_masks_pipeline(dataset_config.pipeline)
    dataset = DATASETS.build(dataset_config)
    dataset.set_epoch(arguments.epoch)

    chosen = np.linspace(0, len(dataset) - 1, min(arguments.number, len(dataset))).astype(int)
    panels = [panel for index in track_iter_progress(chosen.tolist()) for panel in draw_sample(dataset[index])]
    sheet = draw_sheet(
        panels,
        title=f'{Path(arguments.config).stem}, {dataset.split}',
        subtitle=f'{len(dataset)} samples, {dataset.num_expressions} expressions; captions are the tokens as decoded',
        columns=4,
        cell=260)
    with write_atomically(arguments.out) as temporary:
        sheet.save(temporary)
    print(f'\n{arguments.out}: {len(panels)} expressions of {len(chosen)} samples')


def input_masks_pipeline(pipeline: list) -> list:
    """The same pipeline with masks loaded before the geometry, so that they are drawn on what the model sees."""
    steps = [step for step in pipeline if step['type'] not in ('LoadMasks', 'PackReferringInputs')]
    return [steps[0], dict(type='LoadMasks'), *steps[1:], dict(type='PackReferringInputs', masks=['gt_input'])]


def draw_sample(packed: dict) -> list:
    """One panel an expression of one sample."""
    image = packed['inputs'].permute(1, 2, 0).numpy()
    sample = packed['data_samples']
    panels = []
    for position, ids in enumerate(sample.token_ids):
        tokens = ids[sample.token_mask[position]].tolist()
        colour = COLOURS[position % len(COLOURS)]
        panels.append(
            Panel(
                caption=SimpleTokenizer().decode(tokens[1:-1]).strip() or '(empty sentence)',
                note=f'{len(tokens)} tokens',
                colour=colour,
                pictures=[overlay_mask(image, sample.gt_input[position].numpy() > 0.5, colour)]))
    return panels


if __name__ == '__main__':
    main()
