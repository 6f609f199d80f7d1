"""Configs of models whose weights shall be random."""

from mmengine.config import ConfigDict

from mmris.utils.pretrained import forget_pretrained


def test_parts_of_parts():
    encoder = ConfigDict(
        type='CLIPEncoder', pretrained='a.pth', taps=(1, 2), image=dict(swin=dict(depth=2, pretrained='b.pth')))
    forget_pretrained(encoder)
    assert encoder == dict(type='CLIPEncoder', pretrained=None, taps=(1, 2), image=dict(swin=dict(depth=2,
                                                                                                  pretrained=None)))


def test_what_has_none_gets_none():
    encoder = dict(type='EVFSAMEncoder', joint=dict(type='BEiT3Encoder'))
    forget_pretrained(encoder)
    assert encoder == dict(type='EVFSAMEncoder', joint=dict(type='BEiT3Encoder'))
