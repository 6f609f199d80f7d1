# DETRIS with DINOv2 ViT-L/14 at 448 x 448, on RefCOCOg (umd).
# Paper: Huang et al., Densely Connected Parameter-Efficient Tuning for Referring Image Segmentation, AAAI 2025.
# Data: 42,226 objects, 80,512 sentences in train; layout in docs/data.md.
# Cost: 50 epochs of 1,319 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# The paper's mIoU: val 69.3, test 70.2 (oIoU 66.8, 68.0). Ours: not measured (docs/metrics.md).
# Command: bash tools/dist_train.sh configs/detris/vit-l_refcocog_umd.py 8 --amp
_base_ = [
    '../_base_/datasets/refcocog_umd.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/detris_vit-l.py',
    '../_base_/schedules/adam_50e_batch32.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=22), views=dict(main=dict(size=448)))
model = dict(encoder=dict(text_length=22))
work_dir = 'work_dirs/detris_vit-l_refcocog_umd'
