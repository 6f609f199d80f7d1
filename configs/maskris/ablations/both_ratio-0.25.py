# Both masks; 25% of the blocks are hidden.
# Paper: Lee et al., MaskRIS: oIoU 76.07 on RefCOCO val, on CARIS, which the project lacks. Ours is on LAVT.
# Data: RefCOCO (unc), 42,404 objects in train; layout in docs/data.md.
# Cost: 40 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/maskris/ablations/both_ratio-0.25.py 8
_base_ = './both.py'
model = dict(distillation=dict(maskris=dict(image=dict(ratio=0.25))))
work_dir = 'work_dirs/maskris_ablations_both_ratio-0.25'
