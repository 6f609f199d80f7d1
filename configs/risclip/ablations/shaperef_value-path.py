# The tiny towers as they are: value path and cosine. Nothing more is trained.
# Paper: Kim et al., RISCLIP (docs/deviations.md), in small.
# Data: ShapeRef, made by `python tools/dataset_converters/make_shaperef.py`; 6,000 images in train.
# Cost: see ../README.md. Needs the towers of ../vit-tiny_shaperef_towers.py.
# Command: python tools/test.py configs/risclip/ablations/shaperef_value-path.py
_base_ = ['../vit-tiny_shaperef_stage1.py', '../../_base_/models/risclip_value-path.py']
model = _base_.value_path
train_dataloader = None
train_cfg = None
optim_wrapper = None
param_scheduler = None
