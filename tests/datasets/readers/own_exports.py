"""Exports of annotation tools, written from the REFER files of a ShapeRef as the tools write them."""

import csv
import json
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from PIL import Image

from mmris.datasets.masks import decode_segmentation
from mmris.datasets.readers import Content, find_form, read_content
from tests.datasets.readers.shaperef_forms import ReferSet

TEXT_AREA = 'sentence'


def convert(form: str, path: Any, images: Any, **options: Any) -> Content:
    """Read an export as ``convert_dataset`` does."""
    return read_content(str(path), form=find_form(form), image_folder=str(images), options=options)[0]


def write_refer(content: Content, folder: Path, split_of: Optional[Dict[str, str]] = None) -> Path:
    """Write REFER files; with ``split_of`` each ref goes to the split that this says of its image file.

    Returns:
        Path: The refs file, beside ``instances.json``.
    """
    folder.mkdir()
    refs = [dict(one.ref, split=split_of[one.ref['file_name']] if split_of else one.ref['split'])
            for one in content.refs]
    (folder / 'instances.json').write_text(json.dumps(content.instances))
    (folder / 'refs(own).json').write_text(json.dumps(refs))
    return folder / 'refs(own).json'


def splits_of_images(refers: ReferSet) -> Dict[str, str]:
    """The split of each image file."""
    return {refers.images[ref['image_id']]['file_name']: ref['split'] for ref in refers.refs}


def refs_by_image(refers: ReferSet, split: Optional[str] = None) -> Dict[int, List[dict]]:
    """Refs by the ids of their images, of one split or all."""
    found: Dict[int, List[dict]] = {}
    for ref in refers.refs:
        if split in (None, ref['split']):
            found.setdefault(ref['image_id'], []).append(ref)
    return found


def mask_of(refers: ReferSet, annotation_id: int) -> np.ndarray:
    """The mask of an annotation: ``(H, W)`` uint8."""
    annotation = refers.annotations[annotation_id]
    image = refers.images[annotation['image_id']]
    return decode_segmentation(annotation['segmentation'], image['height'], image['width'])


def sentences_of(ref: dict) -> List[str]:
    return [sentence['sent'] for sentence in ref['sentences']]


# ---------------------------------------------------------------------------------------------------- Label Studio


def pack_brush(values: np.ndarray, sizes: Iterable[int] = (3, 4, 8, 16), literals: bool = True) -> List[int]:
    """Pack words of a byte as Label Studio does: repeated ones with their count, others one after another."""
    sizes = list(sizes)
    bits = [f'{len(values):032b}', f'{7:05b}', *(f'{size - 1:04b}' for size in sizes)]

    def count(number: int) -> str:
        kind = next(kind for kind, size in enumerate(sizes) if number <= 2**size)
        return f'{kind:02b}{number - 1:0{sizes[kind]}b}'

    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    lengths = np.diff(np.append(starts, len(values)))
    alone: List[int] = []

    def flush() -> None:
        for begin in range(0, len(alone), 2**sizes[-1]):
            part = alone[begin:begin + 2**sizes[-1]]
            bits.append('0' + count(len(part)) + ''.join(f'{value:08b}' for value in part))
        alone.clear()

    for start, length in zip(starts, lengths):
        value = int(values[start])
        if length == 1 and literals:
            alone.append(value)
            continue
        flush()
        while length > 0:
            part = min(int(length), 2**sizes[-1])
            bits.append('1' + count(part) + f'{value:08b}')
            length -= part
    flush()
    text = ''.join(bits)
    text += '0' * (8 - len(text) % 8)
    return [int(text[begin:begin + 8], 2) for begin in range(0, len(text), 8)]


def brush_value(mask: np.ndarray) -> dict:
    """``value`` of a brush region: red, green, blue and alpha of each pixel."""
    return dict(format='rle', rle=pack_brush(np.repeat((mask.ravel() > 0).astype(np.uint8) * 255, 4)),
                brushlabels=['object'])


def polygon_value(polygon: List[float], height: int, width: int) -> dict:
    """``value`` of a polygon region: in percent of the image."""
    points = [[x * 100 / width, y * 100 / height] for x, y in zip(polygon[::2], polygon[1::2])]
    return dict(points=points, closed=True, polygonlabels=['object'])


def region_items(region_id: str, value: dict, sentences: Any, height: int, width: int,
                 area: str = TEXT_AREA) -> List[dict]:
    """The items of a region: its shape with the label, then the same shape with the text."""
    kind = next((key for key in value if key.endswith('labels')), 'polygonlabels')
    common = dict(original_width=width, original_height=height, image_rotation=0, id=region_id, to_name='image',
                  origin='manual')
    shape = {key: one for key, one in value.items() if not key.endswith('labels')}
    items = [dict(common, value=value, from_name='label', type=kind)]
    if sentences is not None:
        items.append(dict(common, value=dict(shape, text=sentences), from_name=area, type='textarea'))
    return items


def label_studio_task(number: int, image: str, results: List[dict], **changes: Any) -> dict:
    """A task as the export has it."""
    annotation = dict(
        id=number + 1000, completed_by=1, result=results, was_cancelled=False, ground_truth=False,
        created_at='2024-05-01T10:00:00.000000Z', updated_at='2024-05-01T10:00:00.000000Z',
        draft_created_at='2024-05-01T09:59:00.000000Z', lead_time=8.65, prediction={}, result_count=len(results),
        unique_id='3bc9da85-967f-47a1-bfa8-410206e54cf9', import_id=None, last_action=None, task=number, project=3,
        updated_by=1, parent_prediction=None, parent_annotation=None, last_created_by=None)
    task = dict(
        id=number, annotations=[annotation], file_upload=image.rsplit('/', 1)[-1], drafts=[], predictions=[],
        data=dict(image=image), meta={}, created_at='2024-05-01T09:00:00.000000Z',
        updated_at='2024-05-01T10:00:00.000000Z', inner_id=number, total_annotations=1, cancelled_annotations=0,
        total_predictions=0, comment_count=0, unresolved_comment_count=0, last_comment_updated_at=None, project=3,
        updated_by=1, comment_authors=[])
    return dict(task, **changes)


def write_label_studio(refers: ReferSet, path: Path, address: Callable[[int, str], str], *,
                       split: Optional[str] = None) -> None:
    """Write the export of a project: polygons where an object has one outline, brush strokes for the others."""
    tasks = []
    for number, (image_id, refs) in enumerate(refs_by_image(refers, split).items(), start=1):
        image, results = refers.images[image_id], []
        height, width = image['height'], image['width']
        for position, ref in enumerate(refs):
            outlines = refers.annotations[ref['ann_id']]['segmentation']
            brush = not isinstance(outlines, list) or len(outlines) > 1 or position % 3 == 2
            value = brush_value(mask_of(refers, ref['ann_id'])) if brush else polygon_value(outlines[0], height, width)
            results += region_items(f'r{ref["ref_id"]}', value, sentences_of(ref), height, width)
        tasks.append(label_studio_task(number, address(number, image['file_name']), results))
    path.write_text(json.dumps(tasks))


# ------------------------------------------------------------------------------------------------------------ CVAT

_META = '''<meta>
    <task>
      <id>4</id><name>own</name><size>{size}</size><mode>annotation</mode><overlap>0</overlap><bugtracker></bugtracker>
      <created>2024-05-01 10:00:00.000000+00:00</created><updated>2024-05-01 10:00:00.000000+00:00</updated>
      <labels><label><name>object</name><color>#c06060</color><type>any</type><attributes>{attributes}</attributes>
      </label></labels>
    </task>
    <dumped>2024-05-01 11:00:00.000000+00:00</dumped>
  </meta>'''


def cvat_attribute(name: str, kind: str) -> str:
    """The declaration of an attribute."""
    return (f'<attribute><name>{name}</name><mutable>False</mutable><input_type>{kind}</input_type>'
            f'<default_value></default_value><values></values></attribute>')


def cvat_shape(tag: str, fields: Dict[str, Any], attributes: Dict[str, str]) -> str:
    """A shape with its attributes."""
    inside = ''.join(f'<attribute name={quoteattr(name)}>{escape(text)}</attribute>'
                     for name, text in attributes.items())
    told = ' '.join(f'{key}={quoteattr(str(value))}' for key, value in fields.items())
    return f'    <{tag} label="object" source="manual" occluded="0" {told} z_order="0">\n      {inside}\n    </{tag}>\n'


def cvat_polygon(polygon: List[float], attributes: Dict[str, str]) -> str:
    """A polygon with two decimals, as CVAT writes it."""
    points = ';'.join(f'{x:.2f},{y:.2f}' for x, y in zip(polygon[::2], polygon[1::2]))
    return cvat_shape('polygon', dict(points=points), attributes)


def cvat_mask(mask: np.ndarray, attributes: Dict[str, str]) -> str:
    """A mask: runs row by row through its box, background first."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = rows[0], columns[0]
    inside = mask[top:rows[-1] + 1, left:columns[-1] + 1]
    runs, value = [0], 0
    for pixel in inside.ravel():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    fields = dict(rle=', '.join(map(str, runs)), left=left, top=top, width=inside.shape[1], height=inside.shape[0])
    return cvat_shape('mask', fields, attributes)


def cvat_image(number: int, name: str, height: int, width: int, shapes: str, subset: Optional[str] = None) -> str:
    """An image with its shapes."""
    told = '' if subset is None else f' subset="{subset}" task_id="4"'
    size = f'width="{width}" height="{height}"'
    return f'  <image id="{number}" name={quoteattr(name)}{told} {size}>\n{shapes}  </image>\n'


def cvat_file(images: str, attributes: str = cvat_attribute(TEXT_AREA, 'text')) -> str:
    """The whole file."""
    meta = _META.format(size=images.count('<image'), attributes=attributes)
    return (f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  {meta}\n{images}'
            f'</annotations>\n')


def write_cvat(refers: ReferSet, path: Path, *, subsets: bool = False) -> None:
    """Write ``annotations.xml``: polygons where an object has one outline, masks for the others."""
    images = []
    for number, (image_id, refs) in enumerate(refs_by_image(refers).items()):
        image, shapes = refers.images[image_id], []
        for position, ref in enumerate(refs):
            outlines = refers.annotations[ref['ann_id']]['segmentation']
            attributes = {TEXT_AREA: '\n'.join(sentences_of(ref))}
            if not isinstance(outlines, list) or len(outlines) > 1 or position % 3 == 2:
                shapes.append(cvat_mask(mask_of(refers, ref['ann_id']), attributes))
            else:
                shapes.append(cvat_polygon(outlines[0], attributes))
        subset = dict(train='Train', val='Validation').get(refs[0]['split'], refs[0]['split']) if subsets else None
        images.append(cvat_image(number, image['file_name'], image['height'], image['width'], ''.join(shapes), subset))
    path.write_text(cvat_file(''.join(images)), encoding='utf-8')


# ------------------------------------------------------------------------------------------------- masks as pictures


def write_csv(refers: ReferSet, folder: Path, *, value: int = 255, split: bool = True) -> Path:
    """Write ``own.csv`` and a mask of 0 and ``value`` an object; a row a sentence."""
    (folder / 'masks').mkdir(parents=True)
    with open(folder / 'own.csv', 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['image', 'mask', 'sentence', *(['split'] if split else [])])
        for ref in refers.refs:
            name = f'masks/{ref["ref_id"]}.png'
            Image.fromarray(mask_of(refers, ref['ann_id']) * np.uint8(value)).save(folder / name)
            for text in sentences_of(ref):
                image = refers.images[ref['image_id']]['file_name']
                writer.writerow([image, name, text, *([ref['split']] if split else [])])
    return folder / 'own.csv'


def write_mask_folder(refers: ReferSet, folder: Path) -> Path:
    """Write masks beside the text files of their sentences, of every other image in a folder of its name."""
    for number, (image_id, refs) in enumerate(refs_by_image(refers).items()):
        stem = Path(refers.images[image_id]['file_name']).stem
        for position, ref in enumerate(refs):
            name = f'{stem}/{position}' if number % 2 else f'{stem}_{position}' if position else stem
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask_of(refers, ref['ann_id']) * np.uint8(255)).save(folder / f'{name}.png')
            (folder / f'{name}.txt').write_text('\n'.join(sentences_of(ref)) + '\n', encoding='utf-8')
    return folder


# ------------------------------------------------------------------------------------------------------------ COCO


def write_coco(refers: ReferSet, path: Path, carry: Callable[[dict, List[str]], dict], *,
               split: Optional[str] = None, renumber: bool = False) -> None:
    """Write a COCO file whose annotations carry sentences as ``carry`` puts them; ids from 1 with ``renumber``."""
    by_image = refs_by_image(refers, split)
    numbers = {one: place for place, one in enumerate(by_image, start=1)}
    sentences = {ref['ann_id']: sentences_of(ref) for refs in by_image.values() for ref in refs}
    chosen = [one for one in refers.annotations.values() if one['image_id'] in by_image]
    annotations = []
    for place, one in enumerate(chosen, start=1):
        one = {key: value for key, value in one.items() if key != 'attributes'}
        if renumber:
            one.update(id=place, image_id=numbers[one['image_id']])
        annotations.append(carry(one, sentences.get(chosen[place - 1]['id'], [])))
    images = [dict(refers.images[one], id=numbers[one] if renumber else one) for one in by_image]
    path.write_text(json.dumps(dict(licenses=[], info={}, categories=refers.categories, images=images,
                                    annotations=annotations)))
