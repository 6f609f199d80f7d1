# CM-MaskSD on CLIP ViT-B/16.
_base_ = ['./clip_vit-b_cris.py', './masked_distillation.py']
model = dict(distillation=_base_.distillation)
