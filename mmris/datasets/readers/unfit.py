"""Forms that are recognised and refused, because they cannot give right masks."""

from typing import Any, Tuple
from xml.etree.ElementTree import Element

from .columns import has_columns
from .form import UnfitForm, any_has_keys, first_entry, has_keys
from .label_studio import is_json_min
from .mdetr import has_captions, is_phrasecut
from .opening import OF_TORCH, Folder, ParquetTable, TextTable


def _is_mevis(value: Any) -> bool:
    return has_keys(value, 'videos') and isinstance(value['videos'], dict)


def _is_torch_list(value: Any) -> bool:
    return isinstance(value, int) and value == OF_TORCH


def _is_coco_alone(value: Any) -> bool:
    return has_keys(value, 'images', 'annotations')


def _is_coco_captions(value: Any) -> bool:
    return _is_coco_alone(value) and any_has_keys(value['annotations'], 'caption') and not any(
        any_has_keys(value['annotations'], key) for key in ('segmentation', 'bbox'))


def _is_odvg(value: Any) -> bool:
    return any_has_keys(value, 'filename', 'grounding')


def _is_result_list(value: Any) -> bool:
    return has_keys(first_entry(value), 'image_id', 'score')


def _is_question_table(value: Any) -> bool:
    return has_columns(value, 'question', 'answer', 'bbox')


def _is_ref_l4(value: Any) -> bool:
    return has_columns(value, 'caption', 'bbox', 'ori_category_id')


def _is_tfrecord_folder(value: Any) -> bool:
    return isinstance(value, Folder) and any('.tfrecord' in name for name in value.names)


def _is_other_table(value: Any) -> bool:
    return isinstance(value, ParquetTable)


def _describe_columns(value: Any) -> str:
    return (f'Its columns are {", ".join(value.columns)}. The Parquet files that are read are those of '
            f'jxu124/refcoco (ref_id, ann_id, image_id, split, sentences, raw_anns, raw_image_info), '
            f'jxu124/refcoco-benchmark (ref_list, image_info) and moondream/refcoco-m (image_id, file_name, samples). '
            f'Take one of these, or the refs(...).p and instances.json of the same set.')


def _is_other_csv(value: Any) -> bool:
    return isinstance(value, TextTable)


def _describe_csv(value: Any) -> str:
    return (f'Its columns are {", ".join(value.columns) or "none"}, and image, mask and sentence are expected. If they '
            f'have other names, convert it: mmris convert_dataset csv {value.path} --image-column NAME '
            f'--mask-column NAME --sentence-column NAME --images FOLDER --out SET.')


def _is_other_xml(value: Any) -> bool:
    return isinstance(value, Element)


def _is_other_folder(value: Any) -> bool:
    return isinstance(value, Folder)


def _describe_folder(value: Any) -> str:
    names = ', '.join(value.names[:8]) or 'nothing'
    more = f' and {len(value.names) - 8:,} more' if len(value.names) > 8 else ''
    return f'Name a file in it, such as refs(unc).p for sentences and instances.json for masks. It holds {names}{more}.'


UNFIT_FORMS: Tuple[UnfitForm, ...] = (
    UnfitForm(
        title='a list of video expressions (MeViS, Ref-YouTube-VOS)',
        recognise=_is_mevis,
        reason='mmris segments images, not videos. Take a set of images.'),
    UnfitForm(
        title='a file of torch.save, as TransVG and OneRef keep lists of boxes in',
        recognise=_is_torch_list,
        reason='It has neither ids nor, as a rule, masks. Take the refs(...).p and instances.json of the same set: '
        'mmris download refcoco.'),
    UnfitForm(
        title="Label Studio's JSON-MIN export",
        recognise=is_json_min,
        reason='It lacks what tells one region from another. Export the project as JSON: mmris '
        'convert_dataset label-studio reads it.'),
    UnfitForm(
        title="an ODVG file of MMDetection's (finetune_refcoco_train_vg.json)",
        recognise=_is_odvg,
        reason='It has boxes without COCO\'s annotation ids, so that no masks can be found for them. Take the file '
        'that it was made from, such as finetune_refcoco_train.json.'),
    UnfitForm(
        title='a COCO results file',
        recognise=_is_result_list,
        reason='It has no sentences. Instance masks of a segmenter go to inputs.instance_masks of a config '
        '(docs/inputs.md).'),
    UnfitForm(
        title="what MDETR's script makes of PhraseCut (finetune_phrasecut_val.json)",
        recognise=is_phrasecut,
        reason='Of each instance it has the last polygon alone. Take PhraseCut\'s own files: refer_val.json and '
        'image_data_split.json.'),
    UnfitForm(
        title='a file of MDETR\'s of another set than RefCOCO (flickr30k, GQA, LVIS, a mixture)',
        recognise=has_captions,
        reason='It has boxes without COCO\'s annotation ids, so that no masks can be found for them. Take '
        'finetune_refcoco_val.json and the like, or refs(...).p with instances.json: mmris download '
        'refcoco.'),
    UnfitForm(
        title="a file of COCO's captions (captions_train2014.json)",
        recognise=_is_coco_captions,
        reason='It has captions of whole images and no masks. Take a set whose sentences refer to objects, such as '
        'RefCOCO: mmris download refcoco.'),
    UnfitForm(
        title='a COCO annotation file without sentences',
        recognise=_is_coco_alone,
        reason='It goes to ann_file. refs_file is the file with the sentences, such as refs(unc).p.'),
    UnfitForm(
        title="lmms-lab's Parquet of questions and answers (RefCOCO/data/val-00000-of-00004.parquet)",
        recognise=_is_question_table,
        reason='It has each mask as one flat list of numbers, which holds neither several polygons nor an RLE, and no '
        'ids. Take jxu124/refcoco, refcocoplus or refcocog, or refs(...).p with instances.json: mmris '
        'download refcoco.'),
    UnfitForm(
        title="Ref-L4's Parquet (ref-l4-val.parquet)",
        recognise=_is_ref_l4,
        reason='It has boxes and no masks. Take a set with masks, such as RefCOCO: mmris download refcoco.'),
    UnfitForm(
        title='a folder of TFRecord files of TensorFlow Datasets (ref_coco)',
        recognise=_is_tfrecord_folder,
        reason='It has boxes and no masks. Take refs(...).p with instances.json: mmris download refcoco.'),
    UnfitForm(
        title='a Parquet file of a form that is not read', recognise=_is_other_table, reason=_describe_columns),
    UnfitForm(title='a CSV file with other columns', recognise=_is_other_csv, reason=_describe_csv),
    UnfitForm(
        title="an XML file that is not CVAT's",
        recognise=_is_other_xml,
        reason='Of XML files, only "CVAT for images 1.1" is read.'),
    UnfitForm(title='a folder', recognise=_is_other_folder, reason=_describe_folder),
)
