# DETRIS with DINOv2 ViT-L/14 at 448 x 448 and wide adapters, on RefCOCO, RefCOCO+ and RefCOCOg together, without any
# image of a val or test split. The published training keeps these images, so its numbers are not comparable.
# Paper: Huang et al., Densely Connected Parameter-Efficient Tuning for Referring Image Segmentation, AAAI 2025.
# Data: the three sets, less the images of every val and test split: the log tells how many remain; see docs/data.md.
# Cost: 50 epochs of 32 samples a step; 8 GPUs x 4 samples. Not measured by us.
# The paper's mIoU: RefCOCO 81.0 / 81.9 / 79.0, RefCOCO+ 75.2 / 78.6 / 70.2, RefCOCOg (umd) 74.6 / 75.3. Ours: not
# measured (docs/metrics.md).
# Command: bash tools/dist_train.sh configs/detris/vit-l_refcoco_mixed.py 8 --amp
_base_ = [
    '../_base_/datasets/refcoco_mixed.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/detris_vit-l_mixed.py',
    '../_base_/schedules/adam_50e_batch32.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=17), views=dict(main=dict(size=448)))
work_dir = 'work_dirs/detris_vit-l_refcoco_mixed'
