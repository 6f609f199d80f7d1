# MaskRIS on LAVT with Swin-B at 480 x 480, on RefCOCO (unc).
# Paper: Lee et al., MaskRIS: Semantic Distortion-aware Data Augmentation for Referring Image Segmentation.
# Data: 42,404 objects, 120,624 sentences in train; layout in docs/data.md.
# Cost: 40 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# The paper's oIoU: val 73.79, testA 76.57, testB 70.31 (LAVT alone 72.73, 75.82, 68.79).
#   Ours: not measured (docs/metrics.md).
# Command: bash tools/dist_train.sh configs/maskris/lavt_refcoco.py 8
_base_ = ['../lavt/swin-b_refcoco.py', '../_base_/models/maskris.py']
model = dict(losses=dict(bce=dict(loss_weight=0.5)), distillation=dict(maskris=_base_.maskris))
work_dir = 'work_dirs/maskris_lavt_refcoco'
