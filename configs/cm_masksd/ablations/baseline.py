# The baseline at 480 x 480: CLIP ViT-B/16 with CRIS's neck, decoder and head, without distillation.
# Paper: Wang et al., CM-MaskSD, Tables 2 and 5, first row: IoU 70.45 on RefCOCO val.
# Data: RefCOCO (unc), 42,404 objects in train; layout in docs/data.md.
# Cost: 100 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/cm_masksd/ablations/baseline.py 8
_base_ = [
    '../../_base_/datasets/refcoco.py',
    '../../_base_/inputs/clip.py',
    '../../_base_/models/clip_vit-b_cris.py',
    # Its settings, for the rows that start from this one.
    '../../_base_/models/masked_distillation.py',
    '../../_base_/schedules/adam_100e.py',
    '../../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=17), views=dict(main=dict(size=480)))
