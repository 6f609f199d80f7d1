# ViLT's inputs: a letterbox of 384 x 384 pixels, sentences of 40 tokens in BERT's vocabulary, a file to get
# (docs/data.md). Without ViLT's weights: tokenizer = dict(_delete_=True, type='CLIPTokenizer', context_length=40), and
# the encoder's architecture = dict(vocabulary=49408).
inputs = dict(
    tokenizer=dict(type='WordPieceTokenizer', context_length=40, vocabulary='data/bert-base-uncased_vocab.txt'),
    views=dict(main=dict(type='Letterbox', size=384, border_colour=(127.5, 127.5, 127.5))))
