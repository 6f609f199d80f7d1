"""What passes between encoder, neck, decoder, head and distillation.

Shape letters: B images, P expressions, M rows of image features, L tokens, N = h * w patches, C channels, D the joint
space's width. M is B while the image half of an encoder has not seen the sentence, and P afterwards.
"""

from dataclasses import dataclass
from typing import Optional, Tuple

from torch import Tensor

from mmris.protocols import Protocol

from .inputs import InstanceMasks, ReferringInputs
from .tensor_structure import SharedRows, TensorStructure


@dataclass(frozen=True)
class InstanceEmbeddings(TensorStructure):
    """Instances before an encoder has seen them.

    Attributes:
        found (InstanceMasks): Of M images.
        places (Tensor): ``(M, K, 5)`` float32: centre x and y, width and height of the box around each instance, and
            its area, all relative to the image.
    """

    found: InstanceMasks
    places: Tensor


@dataclass(frozen=True)
class ImageEmbeddings(TensorStructure):
    """Images as content alone, before any position is added.

    Attributes:
        cells (Tensor): ``(M, C, h', w')``, the cells that a mask token can replace; h' and w' are multiples of the
            output's h and w.
        inside (Tensor): ``(M, h, w)`` bool, the patches of the encoder's output that hold some image; false on those
            that lie wholly in the letterbox border.
        instances (InstanceEmbeddings, optional): What was found on the images, of encoders that take it in.
        frozen (SharedRows, optional): What towers made of the images, or of other views of them, that see neither the
            sentence nor any mask, of encoders that have such: a replay shares it instead of computing or copying it.
        region (Tensor, optional): ``(M, 4)`` float32, ``x0, y0, x1, y1`` of the rectangle that the patches cover, in
            pixels of the main view, of encoders whose patches lie on another one. None: the patches cover the input.
    """

    cells: Tensor
    inside: Tensor
    instances: Optional[InstanceEmbeddings] = None
    frozen: Optional[SharedRows] = None
    region: Optional[Tensor] = None


@dataclass(frozen=True)
class TextEmbeddings(TensorStructure):
    """Sentences as content alone, before any position is added.

    Attributes:
        words (Tensor): ``(P, L, C)``.
        token_mask (Tensor): ``(P, L)`` bool, true on real tokens.
    """

    words: Tensor
    token_mask: Tensor


@dataclass(frozen=True)
class ImageFeatures(TensorStructure):
    """Images as an encoder gives them.

    Attributes:
        stages (tuple[Tensor]): ``(M, C_i, h_i, w_i)``, from shallow to deep.
        patches (Tensor): ``(M, N, D)``, the last stage's cells in the joint space, row by row.
        image_global (Tensor): ``(M, D)``, the whole image in the joint space.
        class_stages (tuple[Tensor]): ``(M, C_i)``, the class token beside each stage, of encoders that give it.
    """

    stages: Tuple[Tensor, ...]
    patches: Tensor
    image_global: Tensor
    class_stages: Tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class TextFeatures(TensorStructure):
    """Sentences as an encoder gives them.

    Attributes:
        words (Tensor): ``(P, L, C)``.
        words_joint (Tensor): ``(P, L, D)``, the words in the joint space.
        sentence (Tensor): ``(P, D)``, the whole sentence in the joint space.
        token_mask (Tensor): ``(P, L)`` bool, true on real tokens.
        stages (tuple[Tensor]): ``(P, L, C_i)``, the words beside each stage of the image, of encoders that give them.
    """

    words: Tensor
    words_joint: Tensor
    sentence: Tensor
    token_mask: Tensor
    stages: Tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class InstanceFeatures(TensorStructure):
    """What is known of each instance for each of P expressions.

    Attributes:
        tokens (Tensor): ``(P, K, C)``, each instance after the encoder.
        found (SharedRows): ``InstanceMasks`` of the images that were encoded: larger than all else, so not repeated
            for each expression about one.
        scores (Tensor, optional): ``(P, K)``, logits of being what the expression refers to, of decoders that select.
    """

    tokens: Tensor
    found: SharedRows
    scores: Optional[Tensor] = None

    @property
    def present(self) -> Tensor:
        """Tensor: ``(P, K)`` bool, true where there is an instance."""
        return self.found.values.present.index_select(0, self.found.index)


@dataclass(frozen=True)
class EncoderOutput(TensorStructure):
    """What an encoder knows of P expressions and their images.

    Attributes:
        image (ImageFeatures): M rows: B of an encoder whose image half does not see the sentence, else P.
        text (TextFeatures): P rows.
        image_index (Tensor): ``(P,)`` int64, the row of ``image`` that belongs to each expression.
        instances (InstanceFeatures, optional): Of encoders that take instance masks in.
        maps (SharedRows, optional): For each expression maps ``(B, C_i, h_i, w_i)`` of its image, from shallow to deep,
            in which no sentence is; of encoders that have a segmenter's tower.
        region (Tensor, optional): ``(P, 4)`` float32, for each expression the rectangle of its image's main view that
            the patches cover (:attr:`ImageEmbeddings.region`). None: they cover the input.
    """

    image: ImageFeatures
    text: TextFeatures
    image_index: Tensor
    instances: Optional[InstanceFeatures] = None
    maps: Optional[SharedRows] = None
    region: Optional[Tensor] = None


@dataclass(frozen=True)
class FusedFeatures(TensorStructure):
    """Pixels that know of their sentence: what a neck returns, and a decoder refines.

    Attributes:
        pixels (Tensor): ``(P, C, h, w)``.
        words (Tensor): ``(P, L, C_words)``.
        sentence (Tensor): ``(P, D)``.
        token_mask (Tensor): ``(P, L)`` bool, true on real tokens.
        class_token (Tensor, optional): ``(P, C)``, the image's class token, of necks that take it along.
        stages (tuple[Tensor]): ``(P, C_i, h_i, w_i)``, the image from shallow to deep, of necks that hand it on to a
            decoder of several depths.
        instances (InstanceFeatures, optional): Of encoders that take instance masks in, by necks that hand them on.
        maps (SharedRows, optional): ``(B, C_i, h_i, w_i)`` from shallow to deep, of encoders that have a segmenter's
            tower, by necks that hand them on: an image that has not seen the sentence, unlike ``pixels``.
    """

    pixels: Tensor
    words: Tensor
    sentence: Tensor
    token_mask: Tensor
    class_token: Optional[Tensor] = None
    stages: Tuple[Tensor, ...] = ()
    instances: Optional[InstanceFeatures] = None
    maps: Optional[SharedRows] = None


@dataclass(frozen=True)
class Answer(TensorStructure):
    """What a model answers to P sentences.

    Attributes:
        logits (Tensor): ``(P, 1, h, w)``, the masks' logits.
        existence (Tensor, optional): ``(P,)`` logits: above 0, something on the image fits the sentence. None: the
            model has no existence head.
    """

    logits: Tensor
    existence: Optional[Tensor] = None


@dataclass(frozen=True)
class MainPass(TensorStructure):
    """All that the main branch computed for a batch, for losses on the way and for distillation to replay.

    Attributes:
        inputs (ReferringInputs): The batch itself, for what masks pixels or token ids.
        image_embeddings (ImageEmbeddings): B rows.
        text_embeddings (TextEmbeddings): P rows.
        image_state (TensorStructure): What the encoder made of the images alone, B rows; its type is the encoder's
            own.
        text_state (TensorStructure): What the encoder made of the sentences alone, P rows.
        image_index (Tensor): ``(P,)`` int64 into the B images.
        encoded (EncoderOutput): The encoder's output.
        fused (FusedFeatures): The decoder's output.
        logits (Tensor): ``(P, 1, h, w)``, the main branch's prediction.
        protocol (Protocol): How the model brings logits to the original pixels, where it is scored.
        existence (Tensor, optional): ``(P,)`` logits of the existence head; None without one.
    """

    inputs: ReferringInputs
    image_embeddings: ImageEmbeddings
    text_embeddings: TextEmbeddings
    image_state: TensorStructure
    text_state: TensorStructure
    image_index: Tensor
    encoded: EncoderOutput
    fused: FusedFeatures
    logits: Tensor
    protocol: Protocol
    existence: Optional[Tensor] = None

    @property
    def inside(self) -> Tensor:
        """Tensor: ``(P, h, w)`` bool, the patches of each expression's image that hold some image, not only border."""
        return self.image_embeddings.inside.index_select(0, self.image_index)
