# CLIP's inputs: a letterbox, and words of its vocabulary. A config adds its size in pixels and its number of tokens.
inputs = dict(tokenizer=dict(type='CLIPTokenizer'), views=dict(main=dict(type='Letterbox')))
