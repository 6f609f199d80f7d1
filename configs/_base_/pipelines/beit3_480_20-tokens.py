# BEiT-3's inputs: 480 x 480 pixels whatever the image's proportions, sentences of 20 tokens in its own vocabulary, a
# file to get (docs/data.md). Without BEiT-3's weights: tokenizer = dict(type='CLIPTokenizer', context_length=20)
tokenizer = dict(type='BEiT3Tokenizer', context_length=20, vocabulary='data/beit3.spm')
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMasks'),
    dict(type='Resize', size=480),
    dict(type='Tokenize', tokenizer=tokenizer),
    dict(type='PackReferringInputs', masks=['gt_input']),
]
# Masks after the geometry: predictions are scored on the original pixels.
test_pipeline = [
    dict(type='LoadImage'),
    dict(type='Resize', size=480),
    dict(type='LoadMasks'),
    dict(type='Tokenize', tokenizer=tokenizer),
    dict(type='PackReferringInputs', masks=['gt_original']),
]
