# CRIS with CLIP RN101 at 416 x 416, on RefCOCO (unc).
# Paper: Wang et al., CRIS: CLIP-Driven Referring Image Segmentation, CVPR 2022.
# Data: 42,404 objects, 120,624 sentences in train; layout in docs/data.md.
# Cost: 50 epochs of 662 steps of 64 samples; 8 GPUs x 8 samples. Not measured by us.
# The paper's mean IoU: val 70.47, testA 73.18, testB 66.10. Ours: not measured (docs/metrics.md).
# Command: bash tools/dist_train.sh configs/cris/rn101_refcoco.py 8 --amp
_base_ = [
    '../_base_/datasets/refcoco.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/clip_rn101_cris.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=17), views=dict(main=dict(size=416)))

train_dataloader = dict(batch_size=8)
