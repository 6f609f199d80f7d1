# EVF-SAM on SAM 1's ViT-H and BEiT-3 large, with published weights of multitask training: `[semantic] hair` asks for
# all of a class.
# Paper: Zhang et al., EVF-SAM: Early Vision-Language Fusion for Text-Prompted Segment Anything Model; cIoU (our oIoU)
# 82.4 on RefCOCO val, 84.2 on testA, 80.2 on testB.
# Data: RefCOCO (unc); layout in docs/data.md. --data-root and --refs-file name RefCOCO+ or RefCOCOg.
# Cost: an evaluation. Not measured by us.
# Command: mmris test configs/evf_sam/evf-sam-multitask.py evf-sam-multitask --split val testA testB
_base_ = './evf-sam.py'
inputs = dict(tokenizer=dict(vocabulary='evf-sam-multitask', semantic_token=True))
