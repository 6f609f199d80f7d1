# CM-MaskSD with Swin-B of timm and CLIP's text tower at 384 x 384, on RefCOCO (unc).
# Paper: Wang et al., CM-MaskSD, names such encoders as its limitation, and gives neither settings nor numbers for them:
#   the rest is that of CM-MaskSD with ViTs. Masks act after the patch embedding, on cells of the last grid.
# Data: 42,404 objects, 120,624 sentences in train; layout in docs/data.md.
# Cost: 100 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/cm_masksd/swin-b_refcoco.py 8
_base_ = [
    '../_base_/datasets/refcoco.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/cm_masksd_swin-b.py',
    '../_base_/schedules/adam_100e.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=17), views=dict(main=dict(size=384)))
