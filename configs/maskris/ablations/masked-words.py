# Masked sentences as augmentation, without a second pass.
# Paper: Lee et al., MaskRIS: oIoU 75.32 on RefCOCO val, on CARIS, which the project lacks. Ours is on LAVT.
# Data: RefCOCO (unc), 42,404 objects in train; layout in docs/data.md.
# Cost: 40 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/maskris/ablations/masked-words.py 8
_base_ = './baseline.py'
model = dict(data_preprocessor=dict(masking=dict(words=_base_.maskris.words)))
work_dir = 'work_dirs/maskris_ablations_masked-words'
