# CM-MaskSD's two branches on LAVT with Swin-B at 480 x 480, on RefCOCO (unc).
# Paper: Wang et al., CM-MaskSD, names such encoders as its limitation, and gives neither settings nor numbers for them:
#   the rest is that of CM-MaskSD with ViTs. LAVT: Yang et al., CVPR 2022.
# Data: 42,404 objects, 120,624 sentences in train; layout in docs/data.md.
# Cost: 100 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/cm_masksd/lavt_refcoco.py 8
_base_ = [
    '../_base_/datasets/refcoco.py',
    '../_base_/inputs/lavt.py',
    '../_base_/models/cm_masksd_lavt.py',
    '../_base_/schedules/adam_100e.py',
    '../_base_/default_runtime.py',
]

# The branch that masks words takes the last token of a sentence for its end.
inputs = dict(tokenizer=dict(keep_end=True))
# Sentences as typed.
train_dataloader = dict(dataset=dict(text_field='raw'))
val_dataloader = train_dataloader
test_dataloader = train_dataloader
