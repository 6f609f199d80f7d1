# No layer in the decoder.
# Paper: Yu et al., Shared-RIS, Tables III, V and VIII: oIoU 67.31, mIoU 69.10 (in Table III; 67.71 in the others) on
#   RefCOCO+ val.
# Data: RefCOCO+ (unc), 42,278 objects in train; layout in docs/data.md.
# Cost: 35 epochs of 377 steps of 112 samples; 8 GPUs x 14 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/shared_ris/ablations/no-decoder-layer.py 8
_base_ = '../beit3-b_refcoco+.py'
model = dict(decoder=dict(num_layers=0))
