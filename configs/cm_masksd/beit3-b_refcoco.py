# CM-MaskSD with BEiT-3 base at 480 x 480, on RefCOCO (unc).
# Paper: Wang et al., CM-MaskSD, with the encoder of Shared-RIS. No paper gives settings or numbers for the two:
#   input and text are those of Shared-RIS, the rest those of CM-MaskSD.
# Data: 42,404 objects, 120,624 sentences in train; layout in docs/data.md.
# Cost: 100 epochs of 1,325 steps of 32 samples; 8 GPUs x 4 samples. Not measured by us.
# Command: bash tools/dist_train.sh configs/cm_masksd/beit3-b_refcoco.py 8
_base_ = [
    '../_base_/datasets/refcoco.py',
    '../_base_/inputs/beit3.py',
    '../_base_/models/cm_masksd_beit3-b.py',
    '../_base_/schedules/adam_100e.py',
    '../_base_/default_runtime.py',
]

# Shared-RIS has a config of this name.
work_dir = 'work_dirs/cm_masksd_beit3-b_refcoco'
