# Two layers in the decoder.
# Paper: Yu et al., Shared-RIS, Table VIII a: oIoU 68.57, mIoU 70.59 on RefCOCO+ val.
# Data: RefCOCO+ (unc), 42,278 objects in train; layout in docs/data.md.
# Cost: 35 epochs of 377 steps of 112 samples; 8 GPUs x 14 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/shared_ris/ablations/decoder_layers-2.py 8
_base_ = '../beit3-b_refcoco+.py'
model = dict(decoder=dict(num_layers=2))
