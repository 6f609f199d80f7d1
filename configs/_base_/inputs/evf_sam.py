# EVF-SAM's two views: the longest side at 1024 pixels for SAM, and a stretch to 224 x 224 for BEiT-3. BEiT-3's
# vocabulary is a file to get (docs/data.md). As in the published code, sentences are padded to the longest of a batch
# and put in lower case. That code never cuts a sentence; BEiT-3 has 1,022 positions, so this config cuts there.
inputs = dict(
    tokenizer=dict(
        type='BEiT3Tokenizer',
        context_length=1022,
        pad_to_longest=True,
        lower_case=True,
        vocabulary='data/beit3.spm'),
    views=dict(
        main=dict(type='ResizeLongestSide', size=1024), joint=dict(type='Resize', size=224, keep_overshoot=True)))
