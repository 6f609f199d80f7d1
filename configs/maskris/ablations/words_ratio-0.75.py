# Masked sentences alone; 75% of the tokens are chosen.
# Paper: Lee et al., MaskRIS: oIoU 74.14 on RefCOCO val, on CARIS, which the project lacks. Ours is on LAVT.
# Data: RefCOCO (unc), 42,404 objects in train; layout in docs/data.md.
# Cost: 40 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/maskris/ablations/words_ratio-0.75.py 8
_base_ = './words.py'
model = dict(distillation=dict(maskris=dict(words=dict(ratio=0.75))))
work_dir = 'work_dirs/maskris_ablations_words_ratio-0.75'
