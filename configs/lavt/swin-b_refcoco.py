# LAVT with Swin-B at 480 x 480, on RefCOCO (unc).
# Paper: Yang et al., LAVT: Language-Aware Vision Transformer for Referring Image Segmentation, CVPR 2022.
# Data: 42,404 objects, 120,624 sentences in train; layout in docs/data.md.
# Cost: 40 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# The paper's oIoU: val 72.73, testA 75.82, testB 68.79 (mIoU 74.46, 76.89, 70.94).
#   Ours: not measured (docs/metrics.md).
# Command: bash tools/dist_train.sh configs/lavt/swin-b_refcoco.py 8
_base_ = [
    '../_base_/datasets/refcoco.py',
    '../_base_/inputs/lavt.py',
    '../_base_/models/lavt_swin-b.py',
    '../_base_/schedules/adamw_40e.py',
    '../_base_/default_runtime.py',
]
work_dir = 'work_dirs/lavt_swin-b_refcoco'

# Sentences as typed.
train_dataloader = dict(dataset=dict(text_field='raw'))
val_dataloader = train_dataloader
test_dataloader = train_dataloader
