# EVF-SAM on SAM 1's ViT-H and BEiT-3 large, with published weights. Nothing is trained.
# Paper: Zhang et al., EVF-SAM: Early Vision-Language Fusion for Text-Prompted Segment Anything Model; cIoU (our oIoU)
# 82.1 on RefCOCO val, 83.7 on testA, 80.0 on testB.
# Data: RefCOCO (unc); layout in docs/data.md. --data-root and --refs-file name RefCOCO+ or RefCOCOg.
# Cost: an evaluation. Not measured by us.
# Command: mmris test configs/evf_sam/evf-sam.py evf-sam --split val testA testB
_base_ = [
    '../_base_/datasets/refcoco.py',
    '../_base_/inputs/evf_sam.py',
    '../_base_/models/evf_sam_vit-h_beit3-l.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(vocabulary='evf-sam'))
model = dict(
    encoder=dict(segmenter=dict(pretrained=None), joint=dict(pretrained=None)),
    neck=dict(pretrained=None),
    head=dict(pretrained=None),
    frozen=['encoder', 'neck', 'head'])
train_dataloader = None
train_cfg = None
optim_wrapper = None
param_scheduler = None
