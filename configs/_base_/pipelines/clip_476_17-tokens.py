# CLIP's inputs: a letterbox of 476 x 476 pixels, sentences of 17 tokens.
tokenizer = dict(type='CLIPTokenizer', context_length=17)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMasks'),
    dict(type='Letterbox', size=476),
    dict(type='Tokenize', tokenizer=tokenizer),
    dict(type='PackReferringInputs', masks=['gt_input']),
]
# Masks after the geometry: predictions are scored on the original pixels.
test_pipeline = [
    dict(type='LoadImage'),
    dict(type='Letterbox', size=476),
    dict(type='LoadMasks'),
    dict(type='Tokenize', tokenizer=tokenizer),
    dict(type='PackReferringInputs', masks=['gt_original']),
]
