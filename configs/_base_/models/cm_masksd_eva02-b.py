# CM-MaskSD on EVA-02 ViT-B/14 and CLIP's text tower. EVA-02 has no space in common with the sentence: a projection
# stands for it, which begins at random and learns with the neck. Its images have CLIP's mean and deviation.
_base_ = './cm_masksd_vit-b.py'
model = dict(
    encoder=dict(
        taps=None,
        image=dict(
            type='TimmTower', model='eva02_base_patch14_448', pretrained='mim_in22k_ft_in22k_in1k', taps=(4, 8, 12))))
