# CM-MaskSD's two branches with the paper's final settings.
distillation = dict(
    lmvsd=dict(
        type='MaskedVisualDistillation',
        mask_ratio=0.25,
        correlation_filter=dict(type='CorrelationFilter', top_k=0.5),
        loss=dict(type='BinaryCrossEntropyLoss', loss_weight=0.75),
        share_weights=True),
    vmlsd=dict(
        type='MaskedLanguageDistillation',
        mask_ratio=0.1,
        correlation_filter=dict(type='CorrelationFilter', top_k=0.5),
        loss=dict(type='BinaryCrossEntropyLoss', loss_weight=0.1),
        share_weights=True))
