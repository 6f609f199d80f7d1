# EVF-SAM's two views with SAM 2: a stretch to 1024 x 1024 in two steps for SAM 2, and one to 224 x 224 for BEiT-3.
_base_ = './evf_sam.py'
inputs = dict(views=dict(main=dict(type='LongestSideThenStretch')))
