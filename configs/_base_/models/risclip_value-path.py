# The training-free rung of RISCLIP's ladder, for a first stage: CLIP's value path and the cosine of each patch with the
# sentence.
value_path = dict(
    encoder=dict(adapter_ratio=0, cfe_blocks=(), ske_modules=0),
    frozen=['encoder', 'head'],
    # The threshold of 0.35 then lies at 1: log(0.35 / 0.65) - 1.
    head=dict(standardise=True, scale=1.0, bias=-1.619))
