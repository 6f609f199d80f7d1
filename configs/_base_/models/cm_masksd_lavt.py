# CM-MaskSD's two branches on LAVT. Its image and sentence have no space in common: a linear map of the last stage to
# the width of BERT's words stands for it, which begins at random. The alignment loss brings the two together.
_base_ = ['./lavt_swin-b.py', './masked_distillation.py']
model = dict(
    encoder=dict(joint_map=True),
    decoder=dict(in_channels=(128, 256, 512, 768)),
    auxiliary_losses=dict(alignment=dict(type='PatchTextAlignmentLoss')),
    distillation=_base_.distillation)
