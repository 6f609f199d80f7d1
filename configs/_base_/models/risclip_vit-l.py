# RISCLIP on CLIP ViT-L/14, first stage. The text tower has half as many blocks: CFE stands before each of them.
_base_ = './risclip_vit-b.py'
model = dict(encoder=dict(architecture='ViT-L-14', taps=(6, 12, 18, 24)))
