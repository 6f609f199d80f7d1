# MaskRIS on CRIS with CLIP RN50 at 416 x 416, on RefCOCO (unc).
# Paper: Lee et al., MaskRIS: Semantic Distortion-aware Data Augmentation for Referring Image Segmentation.
# Data: 42,404 objects, 120,624 sentences in train; layout in docs/data.md.
# Cost: 50 epochs of 662 steps of 64 samples; 8 GPUs x 8 samples. Not measured by us.
# The paper's mean IoU: val 70.73, testA 74.06, testB 66.82 (CRIS alone 69.52, 72.72, 64.70).
#   Ours: not measured (docs/metrics.md).
# Command: bash tools/dist_train.sh configs/maskris/cris_rn50_refcoco.py 8 --amp
_base_ = ['../cris/rn50_refcoco.py', '../_base_/models/maskris.py']
# CLIP's tokenizer has no [MASK].
model = dict(
    losses=dict(bce=dict(loss_weight=0.5)), distillation=dict(maskris=dict(_base_.maskris, learned_mask=True)))
work_dir = 'work_dirs/maskris_cris_rn50_refcoco'
