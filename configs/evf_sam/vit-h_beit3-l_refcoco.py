# EVF-SAM with SAM 1's ViT-H and BEiT-3 large, on RefCOCO (unc) alone.
# Paper: Zhang et al., EVF-SAM: Early Vision-Language Fusion for Text-Prompted Segment Anything Model.
# Data: 16,994 images with 120,624 sentences in train; layout in docs/data.md.
# Cost: 15,000 steps of 128 images with up to 3 sentences each; 4 GPUs x 16 images x 2 batches. Not measured by us.
# The paper has no numbers of RefCOCO alone: it trains on four sets together (vit-h_beit3-l_mixed.py).
# Ours: not measured (docs/metrics.md).
# Command: bash tools/dist_train.sh configs/evf_sam/vit-h_beit3-l_refcoco.py 4 --amp bfloat16
_base_ = [
    '../_base_/datasets/refcoco.py',
    '../_base_/inputs/evf_sam.py',
    '../_base_/models/evf_sam_vit-h_beit3-l.py',
    '../_base_/models/original_pixels_losses.py',
    '../_base_/schedules/adamw_15k.py',
    '../_base_/default_runtime.py',
]
model = dict(losses=None, auxiliary_losses=_base_.original_pixels_losses)
inputs = dict(steps=dict(pack=dict(phase='train', masks=['gt_original'])))
# Up to three random sentences of an image, on which SAM's tower runs once. No augmentation.
train_dataloader = dict(
    batch_size=16,
    sampler=dict(draws=16000),
    dataset=dict(group_by='image', expressions_per_image=3))
default_hooks = dict(checkpoint=dict(interval=4))
