# The tiny towers as they are: value path and cosine. Nothing more is trained.
# Paper: Kim et al., RISCLIP (docs/deviations.md), in small.
# Data: ShapeRef, made by `python tools/dataset_converters/make_shaperef.py`; 6,000 images in train.
# Cost: see ../README.md. Needs the towers of ../vit-tiny_shaperef_towers.py.
# Command: python tools/test.py configs/risclip/ablations/shaperef_value-path.py
_base_ = '../vit-tiny_shaperef_stage1.py'
model = dict(
    encoder=dict(adapter_ratio=0, cfe_blocks=(), ske_modules=0),
    frozen=['encoder', 'head'],
    # The threshold of 0.35 then lies at 1: log(0.35 / 0.65) - 1.
    head=dict(standardise=True, scale=1.0, bias=-1.619))
train_dataloader = None
train_cfg = None
optim_wrapper = None
param_scheduler = None
