# Shared-RIS with BEiT-3 base at 480 x 480, on RefCOCO (unc).
# Paper: Yu et al., A Simple Baseline with Single-encoder for Referring Image Segmentation (Shared-RIS).
# Data: 42,404 objects, 120,624 sentences in train; layout in docs/data.md.
# Cost: 35 epochs of 378 steps of 112 samples; 8 GPUs x 14 samples. Not measured by us.
# The paper's oIoU: val 74.83, testA 76.83, testB 71.83. Ours: not measured (docs/metrics.md).
# Command: bash tools/dist_train.sh configs/shared_ris/beit3-b_refcoco.py 8
_base_ = [
    '../_base_/datasets/refcoco.py',
    '../_base_/inputs/beit3.py',
    '../_base_/models/shared_ris_beit3-b.py',
    '../_base_/schedules/adamw_35e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=14)
