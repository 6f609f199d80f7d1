# LAVT's inputs: 480 x 480 pixels whatever the image's proportions, stretched by Pillow; masks take the nearest pixels.
# Sentences of 20 tokens in BERT's vocabulary, a file to get (docs/data.md); a longer one is cut, [SEP] included. Data
# sets give sentences as typed: text_field='raw'. Without BERT's weights:
# tokenizer = dict(_delete_=True, type='CLIPTokenizer', context_length=20), and in
# model.encoder.text pretrained = None, architecture = dict(vocabulary=49408).
inputs = dict(
    tokenizer=dict(
        type='WordPieceTokenizer',
        context_length=20,
        keep_end=False,
        vocabulary='data/bert-base-uncased_vocab.txt'),
    views=dict(main=dict(type='PillowResize', size=480, nearest_masks=True)))
