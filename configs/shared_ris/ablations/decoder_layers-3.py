# Three layers in the decoder.
# Paper: Yu et al., Shared-RIS, Table VIII a: oIoU 68.27, mIoU 70.29 on RefCOCO+ val.
# Data: RefCOCO+ (unc), 42,278 objects in train; layout in docs/data.md.
# Cost: 35 epochs of 377 steps of 112 samples; 8 GPUs x 14 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/shared_ris/ablations/decoder_layers-3.py 8
_base_ = '../beit3-b_refcoco+.py'
model = dict(decoder=dict(num_layers=3))
