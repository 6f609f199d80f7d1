# CRIS with CLIP RN101 at 416 x 416 and an existence head, on gRefCOCO: several targets, or none.
# Paper: Wang et al., CRIS, CVPR 2022, which has no such setting; the task is that of Liu et al., GRES, CVPR 2023.
# Data: about 209,000 sentences in train (the file of August 2023, second hand); layout in docs/data.md.
# Cost: 50 epochs of steps of 64 samples; 8 GPUs x 8 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/cris/rn101_grefcoco.py 8 --amp
_base_ = [
    '../_base_/datasets/grefcoco.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/clip_rn101_cris.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=17), views=dict(main=dict(size=416)))
model = dict(protocol='rela', existence=dict(type='ExistenceHead', channels=512, sentence_channels=512))
train_dataloader = dict(batch_size=8)
default_hooks = dict(checkpoint=dict(save_best='gIoU'))
