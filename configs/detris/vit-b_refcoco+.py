# DETRIS with DINOv2 ViT-B/14 at 448 x 448, on RefCOCO+ (unc).
# Paper: Huang et al., Densely Connected Parameter-Efficient Tuning for Referring Image Segmentation, AAAI 2025.
# Data: 42,278 objects, 120,191 sentences in train; layout in docs/data.md.
# Cost: 65 epochs of 1,321 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# The paper's mIoU: val 68.9, testA 74.0, testB 61.5 (oIoU 65.6, 72.0, 56.5). Ours: not measured (docs/metrics.md).
# Command: bash tools/dist_train.sh configs/detris/vit-b_refcoco+.py 8 --amp
_base_ = [
    '../_base_/datasets/refcoco+.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/detris_vit-b.py',
    '../_base_/schedules/adam_65e.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=17), views=dict(main=dict(size=448)))
work_dir = 'work_dirs/detris_vit-b_refcoco+'
