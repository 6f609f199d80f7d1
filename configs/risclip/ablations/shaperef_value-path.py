# The tiny towers as they are: value path and cosine. Nothing more is trained.
# Paper: Kim et al., RISCLIP (configs/risclip/README.md), in small.
# Data: ShapeRef, made by `mmris make_shaperef`; 6,000 images in train.
# Cost: see ../README.md. Needs the towers of ../vit-tiny_shaperef_towers.py.
# Command: mmris test configs/risclip/ablations/shaperef_value-path.py
_base_ = ['../vit-tiny_shaperef_stage1.py', '../../_base_/models/risclip_value-path.py']
model = _base_.value_path
train_dataloader = None
train_cfg = None
optim_wrapper = None
param_scheduler = None
