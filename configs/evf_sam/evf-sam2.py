# EVF-SAM on SAM 2's Hiera-L and BEiT-3 large, with published weights. Nothing is trained.
# Paper: Zhang et al., EVF-SAM: Early Vision-Language Fusion for Text-Prompted Segment Anything Model; its README: cIoU
# (our oIoU) 83.6 on RefCOCO testA.
# Data: RefCOCO (unc); layout in docs/data.md. --data-root and --refs-file name RefCOCO+ or RefCOCOg.
# Cost: an evaluation. Not measured by us.
# Command: mmris test configs/evf_sam/evf-sam2.py evf-sam2 --split val testA testB
_base_ = [
    '../_base_/datasets/refcoco.py',
    '../_base_/inputs/evf_sam2.py',
    '../_base_/models/evf_sam2_hiera-l_beit3-l.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(vocabulary='evf-sam2'))
model = dict(
    encoder=dict(segmenter=dict(pretrained=None), joint=dict(pretrained=None)),
    neck=dict(pretrained=None),
    head=dict(pretrained=None),
    frozen=['encoder', 'neck', 'head'])
train_dataloader = None
train_cfg = None
optim_wrapper = None
param_scheduler = None
