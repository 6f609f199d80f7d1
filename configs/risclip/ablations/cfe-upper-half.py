# The whole first stage with CFE in the upper half: blocks 1 to 6 run once an image, however many expressions it has.
# Paper: Kim et al., Extending CLIP's Image-Text Alignment to Referring Image Segmentation (RISCLIP);
# the slide summary has CFE on the features of each block.
# Data: RefCOCOg (umd), 42,226 objects in train; layout in docs/data.md.
# Cost: 60 epochs of 1,319 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/risclip/ablations/cfe-upper-half.py 8
_base_ = '../vit-b_refcocog_umd_stage1.py'
model = dict(encoder=dict(cfe_blocks=(7, 8, 9, 10, 11, 12)))
