# CRIS with CLIP RN101 at 416 x 416, on RefCOCOg (umd).
# Paper: Wang et al., CRIS: CLIP-Driven Referring Image Segmentation, CVPR 2022.
# Data: 42,226 objects, 80,512 sentences in train; layout in docs/data.md.
# Cost: 50 epochs of 659 steps of 64 samples; 8 GPUs x 8 samples. Not measured by us.
# The paper's mean IoU: val 59.87, test 60.36. Ours: not measured (docs/metrics.md).
# Command: bash tools/dist_train.sh configs/cris/rn101_refcocog_umd.py 8 --amp
_base_ = [
    '../_base_/datasets/refcocog_umd.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/clip_rn101_cris.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=22), views=dict(main=dict(size=416)))

train_dataloader = dict(batch_size=8)
