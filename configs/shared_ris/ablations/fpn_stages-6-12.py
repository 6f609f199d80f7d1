# The FPN over two stages.
# Paper: Yu et al., Shared-RIS, Table VII a: oIoU 67.74, mIoU 69.89 on RefCOCO+ val.
# Data: RefCOCO+ (unc), 42,278 objects in train; layout in docs/data.md.
# Cost: 35 epochs of 377 steps of 112 samples; 8 GPUs x 14 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/shared_ris/ablations/fpn_stages-6-12.py 8
_base_ = '../beit3-b_refcoco+.py'
model = dict(encoder=dict(taps=(6, 12)), neck=dict(in_channels=(768, 768)))
