# Both masks; the main branch's own loss has a weight of 0.25, the branch 0.75.
# Paper: Lee et al., MaskRIS: oIoU 76.62 on RefCOCO val, on CARIS, which the project lacks. Ours is on LAVT.
# Data: RefCOCO (unc), 42,404 objects in train; layout in docs/data.md.
# Cost: 40 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/maskris/ablations/both_lambda-0.25.py 8
_base_ = './both.py'
model = dict(losses=dict(bce=dict(loss_weight=0.25)), distillation=dict(maskris=dict(loss=dict(loss_weight=0.75))))
work_dir = 'work_dirs/maskris_ablations_both_lambda-0.25'
