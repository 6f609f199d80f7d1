"""MaskRIS: a random mask of image and sentence at once."""

from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import EncoderOutput, MainPass, MaskedImages, MaskedShares, MaskedTokens, MaskedWords

from ..encoders import Encoder
from ..layers import patches_inside
from ..masking.random_word_mask import masked_share
from .replay_distillation import ReplayDistillation
from .target_share import measure_hidden_share


class RandomMasks(NamedTuple):
    """What was masked of a batch.

    Attributes:
        images (MaskedImages, optional): None if images are not masked.
        sentences (MaskedWords, optional): None if sentences are not masked.
    """

    images: Optional[MaskedImages]
    sentences: Optional[MaskedWords]


@MODELS.register_module()
class MaskRISDistillation(ReplayDistillation):
    """Masks pixels and words at random, and predicts what the main branch predicts of the whole batch.

    Distortion-aware contextual learning of MaskRIS (Lee et al., MaskRIS, 2024). Neither mask looks at the other
    modality, so that no joint space is needed and any encoder will do. Each image has one mask, also if several
    sentences are about it, and each sentence its own. A modality without a mask is not encoded again.

    An encoder that looks at several views is masked in its :attr:`~mmris.models.encoders.Encoder.sentence_view` alone:
    what its other towers made of the image is shared with the main branch.

    Where the tokenizer has no [MASK], as CLIP's, a learned vector stands for it, which is our choice: the paper's
    models read BERT's tokens. This vector is the one parameter that the branch may have.

    Logged as ``<name>_<branch>``: ``masked_image`` and ``masked_words``, the shares that are masked, and
    ``target_share`` beside ``chance``, the share of the target's pixels that is hidden beside that of the image.

    Args:
        encoder (Encoder): The encoder that will be replayed. Given by the segmentor, not kept.
        stages (Sequence[nn.Module]): Neck, decoder and head. Given by the segmentor.
        image (dict, optional): Config of the mask of images. None: they stay whole. Default:
            ``RandomBlockMask(ratio=0.75, block=32)``.
        words (dict, optional): Config of the mask of sentences. None: they stay whole. Default:
            ``RandomWordMask(ratio=0.15, mask_share=0.8, random_share=0.1)``.
        learned_mask (bool): Let a learned vector stand for [MASK], also where the tokenizer has one. Default: False.
        **kwargs: Of :class:`ReplayDistillation`. The paper's loss is ``BinaryCrossEntropyLoss(class_weights=(0.9,
            1.1), divide_by='pixels', loss_weight=0.5)``, beside a weight of 0.5 of the main branch's own.

    Raises:
        ValueError: If neither images nor sentences are masked, or if there is a learned vector and no sentence gets
            [MASK].
    """

    def __init__(self,
                 *,
                 encoder: Encoder,
                 stages: Sequence[nn.Module],
                 image: Optional[dict] = dict(type='mmris.RandomBlockMask'),
                 words: Optional[dict] = dict(type='mmris.RandomWordMask'),
                 learned_mask: bool = False,
                 **kwargs: Any) -> None:
        super().__init__(stages=stages, **kwargs)
        if image is None and words is None:
            raise ValueError('MaskRISDistillation masks nothing: give it image, words or both.')
        if learned_mask and words is None:
            raise ValueError('learned_mask of MaskRISDistillation stands for [MASK] in sentences, but words is None, '
                             'so none is masked: leave it out.')
        if learned_mask and words.get('mask_share', 1) == 0:
            raise ValueError('learned_mask of MaskRISDistillation stands for [MASK] in sentences, but mask_share of '
                             'words is 0, so none gets one: leave it out.')
        self.image = None if image is None else MODELS.build(image)
        self.words = None if words is None else MODELS.build(words)
        self.mask_token = nn.Parameter(torch.zeros(encoder.word_channels)) if learned_mask else None

    def init_weights(self) -> None:
        """Draw the learned vector, if any: after all else, so that a model begins alike with the branch and without."""
        super().init_weights()
        if self.mask_token is not None:
            nn.init.normal_(self.mask_token, std=0.02)

    def encode_masked(self, main: MainPass, encoder: Encoder) -> Tuple[EncoderOutput, RandomMasks]:
        """Draw the masks, and encode what they leave.

        Raises:
            ValueError: See :class:`RandomBlockMask` and :class:`RandomWordMask`.
        """
        masks = RandomMasks(
            images=None if self.image is None else self.image(main.inputs.images, encoder.sentence_view),
            sentences=None if self.words is None else self.words(
                main.inputs.expressions, has_vector=self.mask_token is not None))
        return self.replay(main, encoder, masks), masks

    def replay(self, main: MainPass, encoder: Encoder, masks: RandomMasks) -> EncoderOutput:
        """Encode what is masked again, and join it with what is not.

        Args:
            main (MainPass): What the main branch computed.
            encoder (Encoder): The main branch's encoder.
            masks (RandomMasks): What is masked.
        """
        image_state, text_state = main.image_state, main.text_state
        if masks.images is not None:
            # Not look_at_images, which asks the feature cache: what is made of a masked image is of no use again.
            image_state = encoder.encode_image(encoder.embed_masked(masks.images.images, main.image_embeddings))
        if masks.sentences is not None:
            embeddings = encoder.embed_text(masks.sentences.expressions)
            if self.mask_token is not None:
                embeddings = encoder.replace_words(embeddings, masks.sentences.hidden, self.mask_token)
            text_state = encoder.encode_text(embeddings)
        return encoder.join(image_state, text_state, main.image_index)

    def measure(self, main: MainPass, masks: RandomMasks, target: Tensor) -> MaskedShares:
        """Measure which share of images, words and targets is masked."""
        shares = {}
        if masks.sentences is not None:
            shares.update(masked_words=masked_share(masks.sentences.chosen, masks.sentences.words))
        if masks.images is not None:
            blocks, inside = _blocks_of_expressions(main, masks.images)
            hidden = measure_hidden_share(blocks, inside, target, main.encoded.region).mean()
            shares.update(
                masked_image=blocks.float().mean(), target_share=hidden.target_share, chance=hidden.chance)
        return MaskedShares(**shares)

    def view_masks(self, main: MainPass, masks: RandomMasks) -> Dict[str, MaskedTokens]:
        found = {}
        if masks.images is not None:
            blocks, inside = _blocks_of_expressions(main, masks.images)
            found.update(patches=MaskedTokens(candidates=inside, masked=blocks))
        if masks.sentences is not None:
            found.update(words=MaskedTokens(candidates=masks.sentences.words, masked=masks.sentences.chosen))
        return found


def _blocks_of_expressions(main: MainPass, masked: MaskedImages) -> Tuple[Tensor, Tensor]:
    """The hidden blocks of each expression's image, and those that hold some image: ``(P, h, w)`` bool each."""
    images, blocks = masked.images, masked.blocks
    size = tuple(images.pixels_of(masked.view).shape[-2:])
    inside = patches_inside(images.box_of(masked.view), tuple(blocks.shape[1:]), size)
    return blocks.index_select(0, main.image_index), inside.index_select(0, main.image_index)
