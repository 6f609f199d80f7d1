# EVF-SAM at the size of the demo, on ShapeRef.
# Paper: Zhang et al., EVF-SAM: Early Vision-Language Fusion for Text-Prompted Segment Anything Model, in small.
# Data: ShapeRef, made by `mmris make_shaperef`; 6,000 images in train.
# Cost: not measured. Nothing is pretrained, so all is trained, SAM's tower too.
# Command: mmris train configs/evf_sam/tiny_shaperef.py
_base_ = [
    '../_base_/datasets/shaperef.py',
    '../_base_/inputs/evf_sam.py',
    '../_base_/models/evf_sam_tiny.py',
    '../_base_/schedules/adamw_4500.py',
    '../_base_/default_runtime.py',
]
inputs = dict(
    tokenizer=dict(_delete_=True, type='WordTokenizer', context_length=12, vocabulary='shaperef'),
    views=dict(main=dict(size=64), joint=dict(size=64)))
model = dict(encoder=dict(joint=dict(architecture=dict(vocabulary=48))))
work_dir = 'work_dirs/evf_sam_tiny_shaperef'
