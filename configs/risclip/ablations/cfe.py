# The value path, adapters and CFE.
# Paper: Kim et al., Extending CLIP's Image-Text Alignment to Referring Image Segmentation (RISCLIP):
# mIoU 60.58; the slide summary names no data set. We take RefCOCOg (umd) test.
# Data: RefCOCOg (umd), 42,226 objects in train; layout in docs/data.md.
# Cost: 60 epochs of 1,319 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/risclip/ablations/cfe.py 8
_base_ = '../vit-b_refcocog_umd_stage1.py'
model = dict(encoder=dict(ske_modules=0))
