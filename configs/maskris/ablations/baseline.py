# LAVT alone, at the 448 x 448 pixels of the ablations, which all blocks divide.
# Paper: Lee et al., MaskRIS: oIoU 74.67 on RefCOCO val, on CARIS, which the project lacks. Ours is on LAVT.
# Data: RefCOCO (unc), 42,404 objects in train; layout in docs/data.md.
# Cost: 40 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/maskris/ablations/baseline.py 8
_base_ = [
    '../../lavt/swin-b_refcoco.py',
    # Its settings, for the rows that start from this one.
    '../../_base_/models/maskris.py',
]
inputs = dict(views=dict(main=dict(size=448)))
work_dir = 'work_dirs/maskris_ablations_baseline'
