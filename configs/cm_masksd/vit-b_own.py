# CM-MaskSD with CLIP ViT-B/16 at 480 x 480, on data of your own.
# Paper: Wang et al., CM-MaskSD: Cross-Modality Masked Self-Distillation for Referring Image Segmentation.
# Data: what `mmris convert_dataset` wrote to data/own, with splits train and val; see docs/own_data.md.
# Cost: 40 epochs of 100 steps of 8 objects, on one GPU. Not measured by us.
# Command: mmris train configs/cm_masksd/vit-b_own.py
_base_ = [
    '../_base_/datasets/own.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/cm_masksd_vit-b.py',
    '../_base_/schedules/adam_40e.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=22), views=dict(main=dict(size=480)))
