# Both branches, each with neck, decoder and head of its own.
# Paper: Wang et al., CM-MaskSD, Table 5: IoU 71.26 on RefCOCO val.
# Data: RefCOCO (unc), 42,404 objects in train; layout in docs/data.md.
# Cost: 100 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/cm_masksd/ablations/both.py 8
_base_ = './baseline.py'
model = dict(
    distillation=dict(
        lmvsd=dict(_base_.distillation.lmvsd, share_weights=False),
        vmlsd=dict(_base_.distillation.vmlsd, share_weights=False)))
