# The encoder alone: neither FPN nor a layer in the decoder.
# Paper: Yu et al., Shared-RIS, Table III: oIoU 65.12, mIoU 66.40 on RefCOCO+ val.
# Data: RefCOCO+ (unc), 42,278 objects in train; layout in docs/data.md.
# Cost: 35 epochs of 377 steps of 112 samples; 8 GPUs x 14 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/shared_ris/ablations/encoder_only.py 8
_base_ = '../beit3-b_refcoco+.py'
model = dict(
    neck=dict(_delete_=True, type='ProjectionNeck', in_channels=768, channels=512),
    decoder=dict(num_layers=0))
