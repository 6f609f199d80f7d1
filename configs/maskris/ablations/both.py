# The branch with both masks: the final method, at 448 x 448.
# Paper: Lee et al., MaskRIS: oIoU 76.49 on RefCOCO val, on CARIS, which the project lacks. Ours is on LAVT.
# Data: RefCOCO (unc), 42,404 objects in train; layout in docs/data.md.
# Cost: 40 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/maskris/ablations/both.py 8
_base_ = './baseline.py'
model = dict(losses=dict(bce=dict(loss_weight=0.5)), distillation=dict(maskris=_base_.maskris))
work_dir = 'work_dirs/maskris_ablations_both'
