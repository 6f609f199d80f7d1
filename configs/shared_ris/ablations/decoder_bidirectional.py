# Bi-directional attention in the decoder.
# Paper: Yu et al., Shared-RIS, Table VIII b: oIoU 68.30, mIoU 70.09 on RefCOCO+ val.
# Data: RefCOCO+ (unc), 42,278 objects in train; layout in docs/data.md.
# Cost: 35 epochs of 377 steps of 112 samples; 8 GPUs x 14 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/shared_ris/ablations/decoder_bidirectional.py 8
_base_ = '../beit3-b_refcoco+.py'
model = dict(decoder=dict(fusion='bidirectional'))
