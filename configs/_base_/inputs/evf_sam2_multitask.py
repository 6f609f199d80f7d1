# EVF-SAM's two views with SAM 2, as the multitask model takes them: SAM 2's is stretched in one step.
_base_ = './evf_sam.py'
inputs = dict(views=dict(main=dict(type='PillowResize')))
