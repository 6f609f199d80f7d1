# Masked images and sentences as augmentation, without a second pass.
# Paper: Lee et al., MaskRIS: oIoU 75.71 on RefCOCO val, on CARIS, which the project lacks. Ours is on LAVT.
# Data: RefCOCO (unc), 42,404 objects in train; layout in docs/data.md.
# Cost: 40 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/maskris/ablations/masked-both.py 8
_base_ = './baseline.py'
model = dict(data_preprocessor=dict(masking=dict(image=_base_.maskris.image, words=_base_.maskris.words)))
work_dir = 'work_dirs/maskris_ablations_masked-both'
