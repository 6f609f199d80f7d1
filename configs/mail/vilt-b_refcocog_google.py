# MaIL with ViLT's base at 384 x 384, on RefCOCOg (google).
# Paper: Li, Wang, Mei, Liu, MaIL: A Unified Mask-Image-Language Trimodal Network for Referring Image
#   Segmentation, 2021. A reconstruction (configs/mail/README.md).
# Data: 44,822 objects, 85,474 sentences in train; layout in docs/data.md,
#   and instance masks of its images (docs/instance_masks.md).
# Cost: 35 epochs of 400 steps of 112 samples; 8 GPUs x 14 samples. Not measured by us.
# The paper's, as a leaderboard labels them: IoU val 61.81. Ours: not measured (docs/metrics.md).
# Command: bash tools/dist_train.sh configs/mail/vilt-b_refcocog_google.py 8
_base_ = [
    '../_base_/datasets/refcocog_google.py',
    '../_base_/inputs/vilt.py',
    '../_base_/models/mail_vilt-b.py',
    '../_base_/schedules/adamw_35e.py',
    '../_base_/default_runtime.py',
]
inputs = dict(instance_masks=_base_.instance_masks)
work_dir = 'work_dirs/mail_vilt-b_refcocog_google'

train_dataloader = dict(batch_size=14)
