# RISCLIP with CLIP ViT-L/14 at 476 x 476, on RefCOCO (unc): first stage, the patch map.
# Paper: Kim et al., Extending CLIP's Image-Text Alignment to Referring Image Segmentation (RISCLIP).
# Data: 42,404 objects, 120,624 sentences in train; layout in docs/data.md.
# Cost: 60 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Expected: the second stage's numbers are those of the paper. Ours: not measured (docs/metrics.md).
# Command: bash tools/dist_train.sh configs/risclip/vit-l_refcoco_stage1.py 8
# Both stages: mmris train_stages configs/risclip/vit-l_refcoco_stage{1,2}.py --processes 8
_base_ = [
    '../_base_/datasets/refcoco.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/risclip_vit-l.py',
    '../_base_/schedules/adamw_60e.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=17), views=dict(main=dict(size=476)))
