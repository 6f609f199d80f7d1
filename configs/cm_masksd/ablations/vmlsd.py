# VMLSD alone, with neck, decoder and head of its own.
# Paper: Wang et al., CM-MaskSD, Tables 2, 4 and 5: IoU 70.98 on RefCOCO val.
# Data: RefCOCO (unc), 42,404 objects in train; layout in docs/data.md.
# Cost: 100 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/cm_masksd/ablations/vmlsd.py 8
_base_ = './baseline.py'
model = dict(distillation=dict(vmlsd=dict(_base_.distillation.vmlsd, share_weights=False)))
