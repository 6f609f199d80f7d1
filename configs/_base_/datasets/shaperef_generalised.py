# ShapeRef with sentences that nothing fits (20 %) and that several objects fit (20 %), made by
#   mmris make_shaperef --train 18000 --no-target-share 0.2 --several-share 0.2 \
#       --out data/shaperef_generalised
_base_ = './shaperef.py'
data_root = 'data/shaperef_generalised'
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
