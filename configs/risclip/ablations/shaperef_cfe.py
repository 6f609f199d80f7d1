# The value path, adapters and CFE, on the tiny towers.
# Paper: Kim et al., RISCLIP (configs/risclip/README.md), in small.
# Data: ShapeRef, made by `mmris make_shaperef`; 6,000 images in train.
# Cost: see ../README.md. Needs the towers of ../vit-tiny_shaperef_towers.py.
# Command: mmris train configs/risclip/ablations/shaperef_cfe.py
_base_ = '../vit-tiny_shaperef_stage1.py'
model = dict(encoder=dict(ske_modules=0))
