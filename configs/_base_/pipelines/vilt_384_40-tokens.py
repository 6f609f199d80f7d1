# ViLT's inputs: a letterbox of 384 x 384 pixels, sentences of 40 tokens in BERT's vocabulary, a file to get
# (docs/data.md). Without ViLT's weights: tokenizer = dict(type='CLIPTokenizer', context_length=40), and the encoder's
# architecture = dict(vocabulary=49408).
tokenizer = dict(type='WordPieceTokenizer', context_length=40, vocabulary='data/bert-base-uncased_vocab.txt')
letterbox = dict(type='Letterbox', size=384, border_colour=(127.5, 127.5, 127.5))
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMasks'),
    letterbox,
    dict(type='Tokenize', tokenizer=tokenizer),
    dict(type='PackReferringInputs', masks=['gt_input']),
]
# Masks after the geometry: predictions are scored on the original pixels.
test_pipeline = [
    dict(type='LoadImage'),
    letterbox,
    dict(type='LoadMasks'),
    dict(type='Tokenize', tokenizer=tokenizer),
    dict(type='PackReferringInputs', masks=['gt_original']),
]
