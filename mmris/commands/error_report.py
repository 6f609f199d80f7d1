"""The work of ``mmris error_report``."""

import argparse
from pathlib import Path
from typing import Dict, List, Tuple

from mmengine.config import Config

from mmris.apis import Predictor
from mmris.apis.samples import build_expressions, predict_sample
from mmris.evaluation import to_json
from mmris.evaluation.error_analysis import analyse, find_scored_by, read_expression_rows
from mmris.evaluation.error_tables import format_error_report, name_scored_by
from mmris.utils import write_atomically
from mmris.utils.configs import (
    check_data,
    check_output,
    choose_checkpoint,
    prediction_settings,
    read_config,
)
from mmris.visualization import ScoredPrediction, draw_prediction_sheet
from mmris.visualization.error_plots import draw_errors
from mmris.visualization.plots import save_figure


def main(arguments: argparse.Namespace) -> None:
    check_output(arguments.out, folder=True)
    arguments.checkpoint = choose_checkpoint(arguments)
    out, rows = Path(arguments.out), choose_splits(arguments)
    analyses = {split: analyse(members, arguments.number) for split, members in rows.items()}
    page = format_error_report(analyses, arguments.rows)
    for name, text in {'report.md': page, 'report.json': to_json(analyses)}.items():
        with write_atomically(out / name) as temporary:
            temporary.write_text(text, encoding='utf-8')
    save_figure(draw_errors(rows, analyses), out / 'report.png')
    print(f'{out}/report.md    tables\n{out}/report.json  the same numbers\n{out}/report.png   plots')
    if arguments.config is None:
        print('To draw the worst predictions too, give --config and --checkpoint.')
        return
    first = next(iter(analyses))
    draw_worst(arguments, first, analyses[first]['worst'])
    print(f'{out}/worst.png    the worst of {first}')


def choose_splits(arguments: argparse.Namespace) -> Dict[str, List[dict]]:
    """The rows by split, of those asked for."""
    rows = read_expression_rows(arguments.rows)
    unknown = [split for split in arguments.split or () if split not in rows]
    if unknown:
        raise ValueError(f'{arguments.rows} has no split {", ".join(unknown)}. Splits there: {", ".join(rows)}.')
    return {split: rows[split] for split in arguments.split or rows}


def draw_worst(arguments: argparse.Namespace, split: str, worst: List[dict]) -> None:
    """Predict the worst expressions again, and draw them."""
    config = read_config(arguments)
    check_data(config, arguments.config)
    predictions = predict(config, arguments, split, worst)
    differ = [row for row, made in zip(worst, predictions) if abs(row['iou'] - made.iou) > 0.01]
    if differ:
        scored_by = ' and '.join(map(name_scored_by, find_scored_by(worst)))
        print(f'Warning: {len(differ)} of {len(worst)} score otherwise now than in {arguments.rows}: it was made with '
              f'another checkpoint, protocol, threshold or data. Its rows were scored by {scored_by}.')
    sheet = draw_prediction_sheet(
        predictions,
        title=f'The worst of {split}',
        subtitle=f'{len(worst)} expressions of the lowest IoU, large targets first; on the right of each, the IoU',
        notes=[f'{row["outcome"]}  {100 * made.iou:.0f}' for row, made in zip(worst, predictions)])
    with write_atomically(Path(arguments.out) / 'worst.png') as temporary:
        sheet.save(temporary)


def predict(config: Config, arguments: argparse.Namespace, split: str, rows: List[dict]) -> List[ScoredPrediction]:
    """Predict for the expressions of rows."""
    predictor = Predictor.trained(config, arguments.checkpoint, **prediction_settings(arguments))
    dataset = build_expressions(config, split)
    places = {expression_ids(dataset.get_data_info(index)): index for index in range(len(dataset))}
    predictions = []
    for row in rows:
        ids = (row['img_id'], row['ref_id'], row['sent_id'])
        if ids not in places:
            raise ValueError(f'Image {ids[0]}, ref {ids[1]}, sentence {ids[2]} of {arguments.rows} is not in split '
                             f'{split} of {dataset.refs_file}. Give --data-root and --refs-file of the set that was '
                             f'scored.')
        predictions.append(predict_sample(predictor, dataset, places[ids]))
    return predictions


def expression_ids(sample: dict) -> Tuple[int, int, int]:
    """Ids of a sample of one expression."""
    return sample['img_id'], sample['ref_ids'][0], sample['sent_ids'][0]
