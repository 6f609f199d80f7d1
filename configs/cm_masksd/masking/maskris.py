# The comparison of ways to mask, on ShapeRef: MaskRIS. Blocks are patches of 8 pixels, of which as at its paper's size a quarter stays; CLIP's tokenizer has no [MASK].
# Paper: none; the comparison is ours (plan.md beside this file).
# Data: ShapeRef, made by `mmris make_shaperef`; some 300 of 6,000 images in train.
# Cost: see README.md in the folder above.
# Command: mmris train configs/cm_masksd/masking/maskris.py
_base_ = './baseline.py'
model = dict(
    losses=dict(bce=dict(loss_weight=0.5)),
    distillation=dict(
        maskris=dict(_base_.maskris, image=dict(_base_.maskris.image, block=8), learned_mask=True)))
