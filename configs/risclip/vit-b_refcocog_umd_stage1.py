# RISCLIP with CLIP ViT-B/16 at 480 x 480, on RefCOCOg (umd): first stage, the patch map.
# Paper: Kim et al., Extending CLIP's Image-Text Alignment to Referring Image Segmentation (RISCLIP).
# Data: 42,226 objects, 80,512 sentences in train; layout in docs/data.md.
# Cost: 60 epochs of 1,319 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Expected: the second stage's numbers are those of the paper. Ours: not measured (docs/metrics.md).
# Command: bash tools/dist_train.sh configs/risclip/vit-b_refcocog_umd_stage1.py 8
# Both stages: mmris train_stages configs/risclip/vit-b_refcocog_umd_stage{1,2}.py --processes 8
_base_ = [
    '../_base_/datasets/refcocog_umd.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/risclip_vit-b.py',
    '../_base_/schedules/adamw_60e.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=22), views=dict(main=dict(size=480)))
