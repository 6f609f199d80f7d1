# Shared-RIS with BEiT-3 large at 480 x 480, on RefCOCO, RefCOCO+ and RefCOCOg together, without any image of a val or
# test split.
# Paper: Yu et al., A Simple Baseline with Single-encoder for Referring Image Segmentation (Shared-RIS).
# Data: the three sets, less the images of every val and test split: the log tells how many remain; see docs/data.md.
# Cost: 35 epochs of 112 samples a step; 8 GPUs x 14 samples. Not measured by us.
# The paper's oIoU: RefCOCO 82.8 / 83.8 / 80.6, RefCOCO+ 75.9 / 78.5 / 70.3, RefCOCOg 74.5 / 76.9 (umd), 76.9 (google).
# Ours: not measured (docs/metrics.md).
# Command: bash tools/dist_train.sh configs/shared_ris/beit3-l_mixed.py 8
_base_ = [
    '../_base_/datasets/refcoco_mixed.py',
    '../_base_/inputs/beit3.py',
    '../_base_/models/shared_ris_beit3-l.py',
    '../_base_/schedules/adamw_35e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=14)
