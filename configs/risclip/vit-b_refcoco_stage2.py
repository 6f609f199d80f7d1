# RISCLIP with CLIP ViT-B/16 at 480 x 480, on RefCOCO (unc): second stage, the decoder.
# Paper: Kim et al., Extending CLIP's Image-Text Alignment to Referring Image Segmentation (RISCLIP).
# Data: 42,404 objects, 120,624 sentences in train; layout in docs/data.md.
# Cost: 60 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# The paper's oIoU: val 73.57, testA 76.46, testB 69.76 (mIoU 75.68, 78.01, 72.46). Ours: not measured.
# Command: bash tools/dist_train.sh configs/risclip/vit-b_refcoco_stage2.py 8
# Both stages: mmris train_stages configs/risclip/vit-b_refcoco_stage{1,2}.py --processes 8
_base_ = [
    '../_base_/datasets/refcoco.py',
    '../_base_/inputs/clip.py',
    '../_base_/models/risclip_vit-b_decoder.py',
    '../_base_/schedules/adamw_60e.py',
    '../_base_/default_runtime.py',
]
inputs = dict(tokenizer=dict(context_length=17), views=dict(main=dict(size=480)))
# Its best checkpoint.
load_from = 'work_dirs/vit-b_refcoco_stage1'
