# CM-MaskSD with CLIP ViT-B/16 at 576 x 576 and an existence head, on gRefCOCO: several targets, or none.
# Paper: Wang et al., CM-MaskSD, which has no such setting; the task is that of Liu et al., GRES, CVPR 2023.
# Data: about 209,000 sentences in train (the file of August 2023, second hand); layout in docs/data.md.
# Cost: 100 epochs of steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/cm_masksd/vit-b_grefcoco.py 8
_base_ = [
    '../_base_/datasets/grefcoco.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/cm_masksd_vit-b.py',
    '../_base_/schedules/adam_100e.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=17), views=dict(main=dict(size=576)))
model = dict(protocol='rela', existence=dict(type='ExistenceHead', channels=512, sentence_channels=512))
default_hooks = dict(checkpoint=dict(save_best='gIoU'))
