# BEiT-3's inputs: 480 x 480 pixels whatever the image's proportions, sentences of 20 tokens in its own vocabulary, a
# file to get (docs/data.md). Without BEiT-3's weights:
# tokenizer = dict(_delete_=True, type='CLIPTokenizer', context_length=20)
inputs = dict(
    tokenizer=dict(type='BEiT3Tokenizer', context_length=20, vocabulary='data/beit3.spm'),
    views=dict(main=dict(type='Resize', size=480)))
