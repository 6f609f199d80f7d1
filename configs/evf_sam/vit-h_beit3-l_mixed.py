# EVF-SAM with SAM 1's ViT-H and BEiT-3 large, on RefCOCO, RefCOCO+ and RefCOCOg (umd) together, without any image of a
# val or test split.
# Paper: Zhang et al., EVF-SAM: Early Vision-Language Fusion for Text-Prompted Segment Anything Model.
# Data: the three sets, less the images of every val and test split: the log tells how many remain; see docs/data.md.
# RefCLEF, the paper's fourth set, is lacking: this project does not read it yet.
# Cost: 15,000 steps of 128 images with up to 3 sentences each; 4 GPUs x 16 images x 2 batches. Not measured by us.
# The paper's oIoU, with RefCLEF: RefCOCO 82.1 / 83.7 / 80.0, RefCOCO+ 75.2 / 78.3 / 70.1, RefCOCOg 76.8 / 77.4 (umd).
# Ours: not measured (docs/metrics.md).
# Command: bash tools/dist_train.sh configs/evf_sam/vit-h_beit3-l_mixed.py 4 --amp bfloat16
_base_ = [
    '../_base_/datasets/refcoco_mixed.py',
    '../_base_/inputs/evf_sam.py',
    '../_base_/models/evf_sam_vit-h_beit3-l.py',
    '../_base_/models/original_pixels_losses.py',
    '../_base_/schedules/adamw_15k.py',
    '../_base_/default_runtime.py',
]
model = dict(losses=None, auxiliary_losses=_base_.original_pixels_losses)
inputs = dict(steps=dict(pack=dict(phase='train', masks=['gt_original'])))
# A set at equal odds, then an image of it, then up to three of its sentences. No augmentation.
train_dataloader = dict(
    batch_size=16,
    sampler=dict(draws=16000),
    dataset=dict(group_by='image', expressions_per_image=3))
default_hooks = dict(checkpoint=dict(interval=4))
