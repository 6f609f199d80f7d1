# CM-MaskSD at the size of the demo.
_base_ = ['./clip_vit-tiny_cris.py', './masked_distillation.py']
model = dict(distillation=_base_.distillation)
