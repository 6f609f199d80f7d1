# MaskRIS's branch beside those of CM-MaskSD, with CLIP ViT-B/16 at 576 x 576, on RefCOCO (unc).
# Paper: none puts the two together. Lee et al., MaskRIS; Wang et al., CM-MaskSD.
# Data: 42,404 objects, 120,624 sentences in train; layout in docs/data.md.
# Cost: 100 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/maskris/cm-masksd_vit-b_refcoco.py 8
_base_ = ['../cm_masksd/vit-b_refcoco.py', '../_base_/models/maskris.py']
# Each method keeps the proportion of its weights to that of the main branch: 1 to 1 of MaskRIS, 1 to 0.75 and 0.1 of
# CM-MaskSD.
model = dict(
    distillation=dict(
        maskris=dict(_base_.maskris, learned_mask=True, loss=dict(_base_.maskris.loss, loss_weight=1.0))))
work_dir = 'work_dirs/maskris_cm-masksd_vit-b_refcoco'
