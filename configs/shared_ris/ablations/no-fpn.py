# No FPN: the decoder takes the last stage.
# Paper: Yu et al., Shared-RIS, Tables III, IV and VII: oIoU 66.25, mIoU 68.38 on RefCOCO+ val.
# Data: RefCOCO+ (unc), 42,278 objects in train; layout in docs/data.md.
# Cost: 35 epochs of 377 steps of 112 samples; 8 GPUs x 14 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/shared_ris/ablations/no-fpn.py 8
_base_ = '../beit3-b_refcoco+.py'
model = dict(neck=dict(_delete_=True, type='ProjectionNeck', in_channels=768, channels=512))
