# Shared-RIS with BEiT-3 base at 480 x 480 and an existence head, on gRefCOCO: several targets, or none.
# Paper: Yu et al., Shared-RIS, which has no such setting; the task is that of Liu et al., GRES, CVPR 2023.
# Data: about 209,000 sentences in train (the file of August 2023, second hand); layout in docs/data.md.
# Cost: 35 epochs of steps of 112 samples; 8 GPUs x 14 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/shared_ris/beit3-b_grefcoco.py 8
_base_ = [
    '../_base_/datasets/grefcoco.py',
    '../_base_/inputs/beit3.py',
    '../_base_/models/shared_ris_beit3-b.py',
    '../_base_/schedules/adamw_35e.py',
    '../_base_/default_runtime.py',
]
model = dict(protocol='rela', existence=dict(type='ExistenceHead', channels=512, sentence_channels=512))
train_dataloader = dict(batch_size=14)
default_hooks = dict(checkpoint=dict(save_best='gIoU'))
