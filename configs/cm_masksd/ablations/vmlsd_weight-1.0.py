# VMLSD alone with loss weight 1.0.
# Paper: Wang et al., CM-MaskSD, Table 4 (a): IoU 69.28 on RefCOCO val.
# Data: RefCOCO (unc), 42,404 objects in train; layout in docs/data.md.
# Cost: 100 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/cm_masksd/ablations/vmlsd_weight-1.0.py 8
_base_ = './vmlsd.py'
model = dict(distillation=dict(vmlsd=dict(loss=dict(loss_weight=1.0))))
