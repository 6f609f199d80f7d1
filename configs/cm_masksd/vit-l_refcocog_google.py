# CM-MaskSD with CLIP ViT-L/14 at 532 x 532, on RefCOCOg (google).
# Paper: Wang et al., CM-MaskSD: Cross-Modality Masked Self-Distillation for Referring Image Segmentation.
# Data: 44,822 objects, 85,474 sentences in train; layout in docs/data.md.
# Cost: 100 epochs of 1,400 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# The paper gives no number for this split. Ours: not measured.
# Command: bash tools/dist_train.sh configs/cm_masksd/vit-l_refcocog_google.py 8
_base_ = [
    '../_base_/datasets/refcocog_google.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/cm_masksd_vit-l.py',
    '../_base_/schedules/adam_100e.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=22), views=dict(main=dict(size=532)))
