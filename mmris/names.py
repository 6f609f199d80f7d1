"""Names that users type and that command lines list. Imports nothing, so that ``--help`` can print them at once.

Of what has more to it than a name (a published model, a form of data sets), the table of it is elsewhere and
``tests/test_listed_names.py`` compares the two.
"""

from typing import Dict, NamedTuple, Tuple

#: What ``gpu_check`` measures or checks, the most important first: see :mod:`mmris.gpu_check.plan`.
GPU_CHECKS = ('evaluation', 'steps', 'losses', 'distributed', 'restart', 'compile')

#: What stands in place of a model's right sentences or instance masks: see :mod:`mmris.datasets.controls`.
SENTENCE_CONTROLS = ('exchanged', 'empty')
MASK_CONTROLS = ('shuffled_masks', 'no_masks')
CONTROLS = (*SENTENCE_CONTROLS, *MASK_CONTROLS)

#: Types of mixed precision, and of a model's weights.
PRECISIONS = ('float16', 'bfloat16')
DTYPES = ('float32', *PRECISIONS)
#: Of the weights of an exported model.
EXPORT_FORMS = ('float32', 'float16', 'int8')

#: Where training curves can go beside the log: see :mod:`mmris.utils.tracking`.
TRACKERS = ('tensorboard', 'wandb')

#: Files of weights that ``publish_model`` writes.
WEIGHT_FORMATS = ('pth', 'safetensors')

#: Styles of ShapeRef's sentences: see :mod:`mmris.datasets.shaperef`.
SHAPEREF_STYLES = ('refcoco', 'refcoco+', 'refcocog')

#: Ratios that ``benchmark`` measures: see :mod:`mmris.benchmarks.cases`.
BENCHMARKS = ('sentences', 'sentences_cris', 'branches', 'grouping', 'grouping_cris', 'grouping_shared_ris',
              'grouping_risclip', 'grouping_mail', 'grouping_evf_sam', 'bfloat16_training', 'bfloat16_evaluation',
              'bfloat16_masks', 'compiling', 'cache', 'whole_evaluation')

#: How many tokens a usual sentence has, with its two ends.
USUAL_TOKENS = 10

#: What ``download`` fetches: see :mod:`mmris.datasets.downloading`.
DOWNLOADS = ('refcoco', 'refcoco+', 'refcocog', 'refclef', 'grefcoco', 'coco-train2014', 'saiapr')

#: Sets whose published counts are known: see :mod:`mmris.datasets.published_counts`.
COUNTED_SETS = ('refcoco_unc', 'refcoco_google', 'refcoco+_unc', 'refcocog_umd', 'refcocog_google')

#: Shells that ``completion`` knows.
SHELLS = ('bash', 'zsh', 'fish')

#: Where images of a set are looked for, below its folder.
IMAGE_FOLDERS = ('images', '../coco/train2014')

#: Forms of data sets, with their titles: see :mod:`mmris.datasets.readers`.
FORM_TITLES: Dict[str, str] = {
    'refer': "REFER's refs file (refs(unc).p)",
    'hf-refcoco': "jxu124's Parquet of refs (refcoco/data/validation-00000-of-00001.parquet)",
    'hf-refcoco-benchmark':
    "jxu124's Parquet of images (refcoco-benchmark/data/refcoco_unc_val-00000-of-00001.parquet)",
    'refcoco-m': "RefCOCO-M's Parquet (refcoco-m/data/validation-00000-of-00002.parquet)",
    'gseval': "GSEval's JSON Lines (GroundingSuite-Eval.jsonl)",
    'mdetr': "MDETR's file of sentences and boxes (finetune_refcoco_val.json)",
    'seqtr': "SeqTR's dict of splits (refcoco-unc/instances.json)",
    'arefcoco': "aRefCOCO's JSON (arefcoco.json)",
    'phrasecut': "PhraseCut's JSON (refer_val.json)",
    'reasonseg': "ReasonSeg's folders (train, val, test of X.jpg and X.json)",
    'sa2va': "Sa2VA's JSON (annotations.json)",
    'label-studio': "Label Studio's JSON export (project-1-at-2024-05-01-10-00-1a2b3c4d.json)",
    'cvat': "CVAT's XML (annotations.xml of a CVAT for images export)",
    'csv': 'a CSV file with the columns image, mask and sentence',
    'coco-sentences': 'COCO annotations with sentences (train.json)',
    'cris': "CRIS's file of refs (anns/refcoco/val.json)",
    'masks': 'a folder of PNG masks',
}


def flag_of(name: str) -> str:
    """Name an option as people write it: ``text_key`` is ``--text-key``."""
    return f'--{name.replace("_", "-")}'


class PublishedNames(NamedTuple):
    """What the command line says of a published model.

    Attributes:
        title (str): What it is called in messages.
        layouts (tuple[str]): Its published layouts, as messages call them.
        written (tuple[str]): Layouts that can be written, as options call them; the first is ours.
        asks_activation (bool): Whether some of its layouts do not say if the weights use QuickGELU. Default: False.
        is_whole (bool): Whether it is a whole model, not towers. Default: False.
    """

    title: str
    layouts: Tuple[str, ...]
    written: Tuple[str, ...]
    asks_activation: bool = False
    is_whole: bool = False


#: Published models: see :mod:`mmris.checkpoints.published`.
PUBLISHED_NAMES: Dict[str, PublishedNames] = {
    'clip': PublishedNames('CLIP', ('OpenAI', "open_clip's CustomTextCLIP", 'open_clip', 'Hugging Face'),
                           ('mmris', 'openai', 'open_clip', 'hugging_face'), asks_activation=True),
    'beit3': PublishedNames('BEiT-3', ('BEiT-3', ), ('mmris', 'beit3')),
    'bert': PublishedNames('BERT', ('Hugging Face', ), ('mmris', 'hugging_face')),
    'vilt': PublishedNames('ViLT', ('ViLT', 'Hugging Face'), ('mmris', 'vilt')),
    'swin': PublishedNames('Swin', ('MMPretrain', ), ('mmris', 'mmpretrain')),
    'swin_stages': PublishedNames('PaddedSwin', ('Microsoft', 'timm', 'MMPretrain'),
                                  ('mmris', 'microsoft', 'mmpretrain')),
    'dinov2': PublishedNames('DINOv2', ('DINOv2', 'timm'), ('mmris', 'dinov2', 'timm')),
    'cris': PublishedNames('CRIS', ('CRIS', ), ('mmris', 'cris'), is_whole=True),
    'detris': PublishedNames('DETRIS', ('DETRIS', ), ('mmris', 'detris'), is_whole=True),
    'lavt': PublishedNames('LAVT', ('LAVT', ), ('mmris', 'lavt', 'lavt_one'), is_whole=True),
    'sam': PublishedNames('SAM', ('SAM', 'SAM 2'), ('mmris', 'sam', 'sam2')),
    'evf_sam': PublishedNames('EVF-SAM', ('EVF-SAM', 'EVF-SAM with SAM 2'), ('mmris', 'evf_sam', 'evf_sam2'),
                              is_whole=True),
}
