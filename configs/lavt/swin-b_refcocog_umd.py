# LAVT with Swin-B at 480 x 480, on RefCOCOg (umd).
# Paper: Yang et al., LAVT: Language-Aware Vision Transformer for Referring Image Segmentation, CVPR 2022.
# Data: 42,226 objects, 80,512 sentences in train; layout in docs/data.md.
# Cost: 40 epochs of 1,319 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# The paper's oIoU: val 61.24, test 62.09 (mIoU 63.34, 63.62).
#   Ours: not measured (docs/metrics.md).
# Command: bash tools/dist_train.sh configs/lavt/swin-b_refcocog_umd.py 8
_base_ = [
    '../_base_/datasets/refcocog_umd.py',
    '../_base_/inputs/lavt.py',
    '../_base_/models/lavt_swin-b.py',
    '../_base_/schedules/adamw_40e.py',
    '../_base_/default_runtime.py',
]
work_dir = 'work_dirs/lavt_swin-b_refcocog_umd'

# Sentences as typed.
train_dataloader = dict(dataset=dict(text_field='raw'))
val_dataloader = train_dataloader
test_dataloader = train_dataloader
