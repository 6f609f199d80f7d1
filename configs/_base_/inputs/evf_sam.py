# EVF-SAM's two views: the longest side at 1024 pixels for SAM, and a stretch to 224 x 224 for BEiT-3. BEiT-3's
# vocabulary is a file to get (docs/data.md). The published code never cuts a sentence; this config does at 64 tokens.
inputs = dict(
    tokenizer=dict(type='BEiT3Tokenizer', context_length=64, vocabulary='data/beit3.spm'),
    views=dict(
        main=dict(type='ResizeLongestSide', size=1024), joint=dict(type='Resize', size=224, keep_overshoot=True)))
