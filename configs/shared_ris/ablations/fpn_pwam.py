# LAVT's PWAM in the place of the FPN.
# Paper: Yu et al., Shared-RIS, Table IV: oIoU 67.49, mIoU 69.77 on RefCOCO+ val.
# Data: RefCOCO+ (unc), 42,278 objects in train; layout in docs/data.md.
# Cost: 35 epochs of 377 steps of 112 samples; 8 GPUs x 14 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/shared_ris/ablations/fpn_pwam.py 8
_base_ = '../beit3-b_refcoco+.py'
model = dict(
    neck=dict(_delete_=True, type='PWAMNeck', in_channels=(768, 768, 768, 768), channels=512),
    decoder=dict(word_channels=768))
