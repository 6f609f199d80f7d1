# CLIP's towers at the size of the demo, all of them trained, and their patch map: what stands for pretraining where
# there are no published weights.
_base_ = './risclip_vit-tiny.py'
model = dict(
    encoder=dict(
        _delete_=True,
        type='CLIPEncoder',
        architecture=_base_.model.encoder.architecture,
        taps=(1, 2, 3, 4)),
    frozen=[])
