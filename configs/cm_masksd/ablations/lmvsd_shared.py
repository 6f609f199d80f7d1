# LMVSD alone, sharing neck, decoder and head with the main branch.
# Paper: Wang et al., CM-MaskSD, Table 5: IoU 71.13 on RefCOCO val.
# Data: RefCOCO (unc), 42,404 objects in train; layout in docs/data.md.
# Cost: 100 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/cm_masksd/ablations/lmvsd_shared.py 8
_base_ = './lmvsd.py'
model = dict(distillation=dict(lmvsd=dict(share_weights=True)))
