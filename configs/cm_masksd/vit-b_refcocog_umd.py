# CM-MaskSD with CLIP ViT-B/16 at 576 x 576, on RefCOCOg (umd).
# Paper: Wang et al., CM-MaskSD: Cross-Modality Masked Self-Distillation for Referring Image Segmentation.
# Data: 42,226 objects, 80,512 sentences in train; layout in docs/data.md.
# Cost: 100 epochs of 1,319 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# The paper's IoU: val 62.67, test 62.69. Ours: not measured (docs/metrics.md).
# Command: torchrun --nproc-per-node 8 tools/train.py configs/cm_masksd/vit-b_refcocog_umd.py --launcher pytorch
_base_ = [
    '../_base_/datasets/refcocog_umd.py',
    '../_base_/models/cm_masksd_vit-b.py',
    '../_base_/schedules/adam_100e.py',
    '../_base_/default_runtime.py',
]
tokenizer = dict(type='CLIPTokenizer', context_length=22)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMasks'),
    dict(type='Letterbox', size=576),
    dict(type='Tokenize', tokenizer=tokenizer),
    dict(type='PackReferringInputs', masks=['gt_input']),
]
test_pipeline = [
    dict(type='LoadImage'),
    dict(type='Letterbox', size=576),
    dict(type='LoadMasks'),
    dict(type='Tokenize', tokenizer=tokenizer),
    dict(type='PackReferringInputs', masks=['gt_original']),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
