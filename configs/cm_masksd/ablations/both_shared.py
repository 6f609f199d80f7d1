# Both branches, sharing neck, decoder and head with the main branch: the final model, at 480 x 480.
# Paper: Wang et al., CM-MaskSD, Tables 2 and 5, last row: IoU 71.68 on RefCOCO val.
# Data: RefCOCO (unc), 42,404 objects in train; layout in docs/data.md.
# Cost: 100 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/cm_masksd/ablations/both_shared.py 8
_base_ = './baseline.py'
model = dict(distillation=_base_.distillation)
