# The comparison of ways to mask, on ShapeRef: MaskRIS, with patches of 8 pixels as blocks, a quarter of which stays,
# and a learned vector for [MASK], which CLIP's tokenizer lacks.
# Paper: none; the comparison is ours (plan.md beside this file).
# Data: ShapeRef, made by `mmris make_shaperef`; some 300 of 6,000 images in train.
# Cost: see README.md in the folder above.
# Command: mmris train configs/cm_masksd/masking/maskris.py
_base_ = './baseline.py'
work_dir = 'work_dirs/masking_maskris'
model = dict(
    losses=dict(bce=dict(loss_weight=0.5)),
    distillation=dict(
        maskris=dict(
            _base_.maskris,
            image=dict(_base_.maskris.image, block=8),
            learned_mask=True,
            # Plain, as the loss of all other rows.
            loss=dict(type='BinaryCrossEntropyLoss', loss_weight=0.5))))
