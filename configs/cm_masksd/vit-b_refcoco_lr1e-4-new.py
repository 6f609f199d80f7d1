# CM-MaskSD with CLIP ViT-B/16 on RefCOCO (unc), with ten times the rate on what is new: neck, decoder, head, v', w'.
# Paper: Wang et al., CM-MaskSD, prints one rate for all; CRIS trains what is new at ten times its towers' rate.
# Data: 42,404 objects, 120,624 sentences in train; layout in docs/data.md.
# Cost: 100 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/cm_masksd/vit-b_refcoco_lr1e-4-new.py 8
_base_ = './vit-b_refcoco.py'
optim_wrapper = dict(
    optimizer=dict(lr=1e-4), paramwise_cfg=dict(custom_keys={'encoder': dict(lr_mult=0.1)}))
