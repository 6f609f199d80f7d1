# The demo's architecture at 224 x 224 with logits at a quarter of the input: to fit a handful of photographs.
# Paper: Wang et al., CM-MaskSD, in small.
# Data: any set in RefCOCO's files (SET below). It trains and evaluates on one split, val: its score tells whether all
#   from files to masks is whole, and nothing of generalisation.
# Cost: see README.md beside this file.
# Command: mmris train configs/cm_masksd/vit-tiny_224.py --data-root SET --refs-file 'refs(google).p'
_base_ = [
    '../_base_/datasets/few_photographs.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/cm_masksd_vit-tiny.py',
    '../_base_/schedules/adamw_600.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=22), views=dict(main=dict(size=224)))
model = dict(encoder=dict(architecture=dict(vision_cfg=dict(image_size=224, patch_size=16))))

default_hooks = dict(checkpoint=dict(by_epoch=False, interval=150), logger=dict(log_metric_by_epoch=False))
log_processor = dict(by_epoch=False)
