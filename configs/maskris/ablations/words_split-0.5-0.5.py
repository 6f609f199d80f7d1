# Masked sentences alone; of the chosen tokens 0.5 become [MASK] and 0.5 random ones, none stays.
# Paper: Lee et al., MaskRIS: oIoU 75.70 on RefCOCO val, on CARIS, which the project lacks. Ours is on LAVT.
# Data: RefCOCO (unc), 42,404 objects in train; layout in docs/data.md.
# Cost: 40 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/maskris/ablations/words_split-0.5-0.5.py 8
_base_ = './words.py'
model = dict(distillation=dict(maskris=dict(words=dict(mask_share=0.5, random_share=0.5))))
work_dir = 'work_dirs/maskris_ablations_words_split-0.5-0.5'
