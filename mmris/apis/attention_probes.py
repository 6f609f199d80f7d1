"""The places in a model where attention can be looked at, and how its weights are read there."""

from dataclasses import dataclass, replace
from typing import Any, Callable, Iterator, List

import torch.nn.functional as F
from timm.layers import Attention
from torch import Tensor, nn

from mmris.models.decoders.cris_decoder import CRISDecoderLayer
from mmris.models.encoders import BEiT3Encoder, DETRISEncoder, LAVTEncoder, RISCLIPEncoder, TrimodalEncoder
from mmris.models.encoders.multiway import MultiwayLayer
from mmris.models.encoders.towers import CLIPVisionTransformer
from mmris.models.layers import BiAttention, FusionLayer, MultiHeadAttention, PixelWordAttention

# What looks at what.
START_ON_PATCHES = 'start token on patches'
END_ON_PATCHES = 'end token on patches'
CLASS_ON_PATCHES = 'class token on patches'
PIXELS_ON_WORDS = 'pixels on words'
SENTENCE_WITH_PATCHES = 'sentence with patches'


@dataclass(frozen=True)
class Probe:
    """One attention of a model.

    Attributes:
        part (str): ``'encoder'``, ``'neck'`` or ``'decoder'``.
        name (str): Which one of that part, such as ``'layer 3'``.
        kind (str): What looks at what: :data:`START_ON_PATCHES`, :data:`END_ON_PATCHES`, :data:`CLASS_ON_PATCHES`
            or :data:`PIXELS_ON_WORDS`.
        module (nn.Module): The module whose inputs tell the weights.
        weights (Callable): Of the module and all that its ``forward`` takes, the weights ``(P, heads, T, S)``: how
            much each of T tokens takes from each of S. Tokens are in the order of instances (of encoders that take
            them in), class token, patches, words; those that look may be a part of them, and those that are looked at
            may be the words alone.
        stage (int): Of the encoder's stages, the one whose grid the patches have, unless they are the decoder's.
            Default: -1, the last.
    """

    part: str
    name: str
    kind: str
    module: nn.Module
    weights: Callable[..., Tensor]
    stage: int = -1


def find_probes(model: nn.Module) -> List[Probe]:
    """Find where sentence and image look at one another, and where CLIP's class token looks at the image.

    Those are a joint encoder's layers that give a stage, the last block of CLIP's ViT, the modules between and behind
    RISCLIP's towers, DETRIS's image adapters before a stage, LAVT's attention behind each stage, and whatever attention
    between image and words a neck and a decoder have.

    Args:
        model (nn.Module): A :class:`~mmris.models.segmentors.ReferringSegmentor`.

    Returns:
        list[Probe]: In the order in which they are run. Empty for a model without any.
    """
    return [*_encoder_probes(model.encoder), *_stage_probes(model.neck, 'neck'),
            *_stage_probes(model.decoder, 'decoder')]


def _encoder_probes(encoder: nn.Module) -> Iterator[Probe]:
    for joint in encoder.modules():
        for tap in joint.taps if isinstance(joint, BEiT3Encoder) else ():
            yield Probe('encoder', f'layer {tap}', START_ON_PATCHES, joint.layers[tap - 1],
                        MultiwayLayer.attention_weights)
    if isinstance(encoder, TrimodalEncoder):
        for tap in encoder.taps:
            yield Probe('encoder', f'block {tap}', START_ON_PATCHES, encoder.blocks[tap - 1].attn, _timm_weights)
    if isinstance(encoder, RISCLIPEncoder):
        yield from _cfe_probes(encoder)
    if isinstance(encoder, DETRISEncoder):
        yield from _aligner_probes(encoder)
    if isinstance(encoder, LAVTEncoder):
        for stage, attention in enumerate(encoder.attentions):
            yield replace(_pixel_word_probe('encoder', f'stage {stage + 1}', attention), stage=stage)
    for tower in encoder.modules():
        if isinstance(tower, CLIPVisionTransformer):
            last = tower.blocks[-1].attn
            yield Probe('encoder', f'block {len(tower.blocks)}', CLASS_ON_PATCHES, last, _torch_weights)
    if isinstance(encoder, RISCLIPEncoder) and encoder.ske:
        last = encoder.ske[-1].words.cross_attention
        yield Probe('encoder', f'SKE {len(encoder.ske)}', END_ON_PATCHES, last, MultiHeadAttention.attention_weights)


def _cfe_probes(encoder: RISCLIPEncoder) -> Iterator[Probe]:
    """Of CFE before the blocks that give a stage."""
    step = encoder.steps[0]
    for number, module in encoder.cfe.items():
        if any((tap - 1) // step == int(number) - 1 for tap in encoder.image.taps):
            yield Probe('encoder', f'CFE {number}', END_ON_PATCHES, module.word_attention,
                        MultiHeadAttention.attention_weights)


def _aligner_probes(encoder: DETRISEncoder) -> Iterator[Probe]:
    """Of the last image adapter before each stage."""
    numbers = [int(index) + 1 for index in encoder.image_adapters]
    before = [max((number for number in numbers if number <= tap), default=None) for tap in encoder.image.taps]
    for number in dict.fromkeys(number for number in before if number is not None):
        yield Probe('encoder', f'block {number}', PIXELS_ON_WORDS,
                    encoder.image_adapters[str(number - 1)].look_at_words.attention, _torch_weights)


def _stage_probes(stage: nn.Module, part: str) -> Iterator[Probe]:
    # What a neck has several of are stages, what a decoder has are layers.
    name = 'stage' if part == 'neck' else 'layer'
    meetings = [(make, module) for module in stage.modules() for known, make in _MEETINGS.items()
                if isinstance(module, known)]
    for number, (make, module) in enumerate(meetings, 1):
        yield make(part, f'{name} {number}', module)


def _fusion_probe(part: str, name: str, layer: FusionLayer) -> Probe:
    if layer.fusion == 'bidirectional':
        return Probe(part, name, START_ON_PATCHES, layer.attention, _bidirectional_weights)
    kind = START_ON_PATCHES if layer.fusion == 'self_attention' else PIXELS_ON_WORDS
    return Probe(part, name, kind, layer.attention, MultiHeadAttention.attention_weights)


def _cris_probe(part: str, name: str, layer: CRISDecoderLayer) -> Probe:
    return Probe(part, name, PIXELS_ON_WORDS, layer.cross_attention, _torch_weights)


def _pixel_word_probe(part: str, name: str, attention: PixelWordAttention) -> Probe:
    return Probe(part, name, PIXELS_ON_WORDS, attention, PixelWordAttention.attention_weights)


_MEETINGS = {FusionLayer: _fusion_probe, CRISDecoderLayer: _cris_probe, PixelWordAttention: _pixel_word_probe}


def _torch_weights(attention: nn.MultiheadAttention, *inputs: Tensor, **options: Any) -> Tensor:
    # Past the hooks, of which this may be one.
    return attention.forward(*inputs, **{**options, 'need_weights': True, 'average_attn_weights': False})[1]


def _timm_weights(attention: Attention, tokens: Tensor, attn_mask: Tensor, **options: Any) -> Tensor:
    query, key, _ = attention.qkv(tokens).unflatten(2, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4)
    logits = query @ key.transpose(-2, -1) * attention.scale
    return logits.masked_fill(~attn_mask, float('-inf')).softmax(dim=-1)


def _bidirectional_weights(attention: BiAttention, image: Tensor, words: Tensor, token_mask: Tensor) -> Tensor:
    # Words look at the image alone: nothing on words.
    return F.pad(attention.attention_weights(image, words, token_mask)[1], (0, words.size(1)))
