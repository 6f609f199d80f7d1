# CRIS's FPN. It takes three stages.
# Paper: Yu et al., Shared-RIS, Table IV: oIoU 66.91, mIoU 68.37 on RefCOCO+ val.
# Data: RefCOCO+ (unc), 42,278 objects in train; layout in docs/data.md.
# Cost: 35 epochs of 377 steps of 112 samples; 8 GPUs x 14 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/shared_ris/ablations/fpn_cris.py 8
_base_ = '../beit3-b_refcoco+.py'
model = dict(
    encoder=dict(taps=(4, 8, 12)),
    neck=dict(
        _delete_=True,
        type='CRISNeck',
        in_channels=(768, 768, 768),
        sentence_channels=768,
        out_channels=(256, 512, 1024)),
    decoder=dict(word_channels=768))
