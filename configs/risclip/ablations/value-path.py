# CLIP as it is: its value path and the cosine of each patch with the sentence. Nothing is trained.
# Paper: Kim et al., Extending CLIP's Image-Text Alignment to Referring Image Segmentation (RISCLIP):
# mIoU 23.86 on RefCOCOg (umd) test. How its map is cut is not said; here: one standard deviation above the mean.
# Data: RefCOCOg (umd); layout in docs/data.md.
# Cost: an evaluation. Not measured by us.
# Command: mmris test configs/risclip/ablations/value-path.py --split test
_base_ = ['../vit-b_refcocog_umd_stage1.py', '../../_base_/models/risclip_value-path.py']
model = _base_.value_path
train_dataloader = None
train_cfg = None
optim_wrapper = None
param_scheduler = None
