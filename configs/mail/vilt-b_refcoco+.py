# MaIL with ViLT's base at 384 x 384, on RefCOCO+ (unc).
# Paper: Li, Wang, Mei, Liu, MaIL: A Unified Mask-Image-Language Trimodal Network for Referring Image
#   Segmentation, 2021. A reconstruction (configs/mail/README.md).
# Data: 42,278 objects, 120,191 sentences in train; layout in docs/data.md,
#   and instance masks of its images (docs/instance_masks.md).
# Cost: 35 epochs of 377 steps of 112 samples; 8 GPUs x 14 samples. Not measured by us.
# The paper's, as a leaderboard labels them: mIoU testB 56.06. Ours: not measured (docs/metrics.md).
# Command: bash tools/dist_train.sh configs/mail/vilt-b_refcoco+.py 8
_base_ = [
    '../_base_/datasets/refcoco+.py',
    '../_base_/inputs/vilt.py',
    '../_base_/models/mail_vilt-b.py',
    '../_base_/schedules/adamw_35e.py',
    '../_base_/default_runtime.py',
]
inputs = dict(instance_masks=_base_.instance_masks)
work_dir = 'work_dirs/mail_vilt-b_refcoco+'

train_dataloader = dict(batch_size=14)
