# MaskRIS's branch with the paper's settings, for any model. Beside it, the main branch's own loss has a weight of 0.5.
# learned_mask=True for tokenizers without [MASK], such as CLIPTokenizer and WordTokenizer.
maskris = dict(
    type='MaskRISDistillation',
    image=dict(type='RandomBlockMask', ratio=0.75, block=32, pattern='random'),
    words=dict(type='RandomWordMask', ratio=0.15, mask_share=0.8, random_share=0.1),
    learned_mask=False,
    loss=dict(type='BinaryCrossEntropyLoss', class_weights=(0.9, 1.1), divide_by='pixels', loss_weight=0.5))
