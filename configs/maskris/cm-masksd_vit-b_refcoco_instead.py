# MaskRIS's branch in place of those of CM-MaskSD, with CLIP ViT-B/16 at 576 x 576, on RefCOCO (unc).
# Paper: none trains this model so. Lee et al., MaskRIS; Wang et al., CM-MaskSD.
# Data: 42,404 objects, 120,624 sentences in train; layout in docs/data.md.
# Cost: 100 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/maskris/cm-masksd_vit-b_refcoco_instead.py 8
_base_ = ['../cm_masksd/vit-b_refcoco.py', '../_base_/models/maskris.py']
model = dict(
    losses=dict(bce=dict(loss_weight=0.5)),
    distillation=dict(_delete_=True, maskris=dict(_base_.maskris, learned_mask=True)))
work_dir = 'work_dirs/maskris_cm-masksd_vit-b_refcoco_instead'
