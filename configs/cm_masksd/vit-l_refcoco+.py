# CM-MaskSD with CLIP ViT-L/14 at 532 x 532, on RefCOCO+ (unc).
# Paper: Wang et al., CM-MaskSD: Cross-Modality Masked Self-Distillation for Referring Image Segmentation.
# Data: 42,278 objects, 120,191 sentences in train; layout in docs/data.md.
# Cost: 100 epochs of 1,321 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# The paper's IoU: val 67.47, testA 71.80, testB 59.91. Ours: not measured (docs/metrics.md).
# Command: bash tools/dist_train.sh configs/cm_masksd/vit-l_refcoco+.py 8
_base_ = [
    '../_base_/datasets/refcoco+.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/cm_masksd_vit-l.py',
    '../_base_/schedules/adam_100e.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=17), views=dict(main=dict(size=532)))
