"""The work of ``mmris try``."""

import argparse
from pathlib import Path
from typing import List

from mmris.apis import Predictor
from mmris.datasets.masks import decode_segmentation
from mmris.datasets.shaperef import ImageRecord, make_record
from mmris.utils import write_atomically
from mmris.utils.configs import check_output
from mmris.visualization import ScoredPrediction, draw_prediction_sheet, mean_iou

NAME = 'cm-masksd-shaperef'
FIVE_LINES = """
The same in Python, for a picture and sentences of your own:

    from mmris.apis import Predictor
    predictor = Predictor.from_pretrained({name!r})
    predictor.set_image({picture!r})
    prediction = predictor.predict({sentences})
    prediction.save('predictions')

This model knows coloured shapes, not photographs. `mmris models` lists others."""


def main(arguments: argparse.Namespace) -> None:
    check_output(arguments.out, folder=True)
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    predictor = Predictor.from_pretrained(NAME)
    found: List[ScoredPrediction] = []
    for number in range(arguments.number):
        record = make_record(arguments.seed, 'refcoco', 'val', number)
        picture = folder / f'scene_{number + 1}.jpg'
        with write_atomically(picture) as temporary:
            temporary.write_bytes(record.jpeg)
        found += ask(predictor, picture, record)
    sheet = folder / 'predictions.png'
    with write_atomically(sheet) as temporary:
        draw_prediction_sheet(
            found,
            title=f'{NAME} on {arguments.number} ShapeRef scenes',
            subtitle='new scenes, none picked; on the right of each sentence, the IoU with the ground truth in percent',
            columns=3,
            cell=150).save(temporary, 'PNG')
    print(f'{sheet}: {len(found)} sentences about {arguments.number} pictures, mIoU {mean_iou(found):.1f}')
    sentences = [one.text for one in found[:2]]
    print(FIVE_LINES.format(name=NAME, picture=str(folder / 'scene_1.jpg'), sentences=sentences))


def ask(predictor: Predictor, picture: Path, record: ImageRecord) -> List[ScoredPrediction]:
    """Ask for one sentence of each object, and write the masks beside the picture."""
    segmentations = {annotation['id']: annotation['segmentation'] for annotation in record.annotations}
    predictor.set_image(picture)
    prediction = predictor.predict([ref['sentences'][0]['sent'] for ref in record.refs])
    prediction.save(picture.parent)
    return [
        ScoredPrediction(
            text=sentence,
            image=prediction.image,
            target=decode_segmentation(segmentations[ref['ann_id']], *prediction.image.shape[:2]).astype(bool),
            mask=mask) for sentence, ref, mask in zip(prediction.sentences, record.refs, prediction.masks)
    ]
