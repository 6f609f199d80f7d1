# Both masks; blocks of 112 x 112 pixels.
# Paper: Lee et al., MaskRIS: oIoU 76.01 on RefCOCO val, on CARIS, which the project lacks. Ours is on LAVT.
# Data: RefCOCO (unc), 42,404 objects in train; layout in docs/data.md.
# Cost: 40 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/maskris/ablations/both_block-112.py 8
_base_ = './both.py'
model = dict(distillation=dict(maskris=dict(image=dict(block=112))))
work_dir = 'work_dirs/maskris_ablations_both_block-112'
