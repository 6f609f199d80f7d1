"""CLIP's image and text towers, out of open_clip's modules."""

from typing import Dict, Optional, Sequence, Tuple, Union

from torch import Tensor

from mmris.registry import MODELS
from mmris.structures import (
    EncoderOutput,
    ExpressionBatch,
    ImageEmbeddings,
    ImageFeatures,
    ImageInputs,
    TextEmbeddings,
    TextFeatures,
)
from mmris.utils.type_parameters import parameters_of_type

from .base import Encoder, ImagePart
from .towers import CLIPResNet, build_clip, build_image_tower, build_text_tower, load_clip


@MODELS.register_module()
class CLIPEncoder(Encoder):
    """CLIP (Radford et al., ICML 2021): a text tower, and CLIP's own image tower or another.

    Neither tower sees the other, so their states are their features and ``join`` only pairs them. CLIP's image towers
    are :class:`CLIPVisionTransformer` and, with the attention pool of CRIS, :class:`CLIPResNet`.

    Args:
        architecture (str or dict): An open_clip model name (``'ViT-B-16'``, ``'RN50'``), or a dict in the form of
            open_clip's model configs: ``embed_dim``, ``vision_cfg``, ``text_cfg`` and optionally ``quick_gelu``.
        pretrained (str, optional): CLIP weights: an open_clip tag (``'openai'``, which open_clip downloads), a file or
            a folder (see :func:`mmris.checkpoints.read_published`). Loaded by :meth:`init_weights`, so not when a
            trained checkpoint of the whole model is tested. Defaults to None: from scratch.
        quick_gelu (bool, optional): Whether the transformers use QuickGELU. Defaults to None: as ``pretrained``
            tells, from scratch GELU.
        trust_pretrained (bool): Also read a file that holds more than tensors, by running what it says. Defaults to
            False.
        taps (Sequence[int], optional): Blocks of CLIP's image tower, counted from 1, after which a stage is taken:
            of a ViT by default those at a third, two thirds and the end; of a ResNet its layers, by default 2, 3, 4.
        image (dict, optional): Config of an :class:`ImageTower` in place of CLIP's, such as
            ``dict(type='TimmTower', model='vit_base_patch14_reg4_dinov2')``. One that takes ``joint_channels`` gets the
            width of the text's joint space, unless it is set. One that has weights of its own to load has
            ``pretrained_parts`` and ``load_pretrained``, as an :class:`Encoder`. Defaults to None: CLIP's.
        activation_checkpointing (bool): Keep no activations inside the towers' blocks, and compute them again in the
            backward pass: less memory, more time, the same gradients. The tower of ``image`` then needs an argument of
            this name; where this is False, its own config decides. Defaults to False.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If ``architecture`` is no open_clip model, or contradicts ``quick_gelu``.
        ValueError: If its image tower is neither a plain ViT nor a ResNet, or its text tower no plain causal
            transformer.
        ValueError: If ``taps`` are no whole numbers, are not increasing or do not end at the last block, or are given
            beside ``image``.
        TypeError: If ``activation_checkpointing`` is set, and the tower of ``image`` has no such argument.
    """

    def __init__(self,
                 *,
                 architecture: Union[str, dict],
                 pretrained: Optional[str] = None,
                 quick_gelu: Optional[bool] = None,
                 trust_pretrained: bool = False,
                 taps: Optional[Sequence[int]] = None,
                 image: Optional[dict] = None,
                 activation_checkpointing: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.architecture = architecture
        self.pretrained = pretrained
        self.trust_pretrained = trust_pretrained
        self.image_is_foreign = image is not None
        clip, self.quick_gelu = build_clip(architecture, quick_gelu)
        options = dict(quick_gelu=self.quick_gelu, activation_checkpointing=activation_checkpointing)
        text = build_text_tower(clip.text, architecture, **options)
        if image is None:
            self.image = build_image_tower(clip.visual, architecture, taps=taps, **options)
        elif taps is not None:
            raise ValueError(f'taps={taps!r} are those of CLIP\'s image tower: set them in image instead.')
        else:
            # Passed only where wanted: the tower may say so itself, or not know the argument.
            checkpointing = dict(activation_checkpointing=True) if activation_checkpointing else {}
            if 'joint_channels' in (parameters_of_type(image.get('type')) or ()):
                image = {'joint_channels': text.clip.text_projection.size(1), **image}
            self.image = MODELS.build({**image, **checkpointing})
        self.text = text
        self.cell_channels = self.image.cell_channels
        self.word_channels = self.text.word_channels

    @property
    def pretrained_parts(self) -> Tuple[str, ...]:
        """tuple[str]: CLIP's towers if ``pretrained`` is set, and such parts of another image tower.

        Of a ResNet ``'image.clip'``: the shortcut of its attention pool is not CLIP's.
        """
        of_image = tuple(f'image.{name}' for name in self.image.pretrained_parts)
        if self.pretrained is None:
            return of_image
        if not self.image_is_foreign:
            of_image = ('image.clip' if isinstance(self.image, CLIPResNet) else 'image', )
        return (*of_image, 'text')

    @property
    def image_parts(self) -> Dict[str, ImagePart]:
        """dict[str, ImagePart]: The image tower."""
        return dict(image=ImagePart(modules=('image', )))

    def load_pretrained(self) -> None:
        """Load ``pretrained`` into CLIP's towers, and into another image tower what it names.

        Raises:
            ValueError: If ``pretrained`` is no tag of the architecture, file or folder, cannot be read, or if its
                activation is not known or another than the config's.
            RuntimeError: If it holds another architecture.
        """
        self.image.load_pretrained()
        if self.pretrained is not None:
            towers = dict(text=self.text) if self.image_is_foreign else dict(image=self.image, text=self.text)
            load_clip(
                towers, self.pretrained, self.architecture, quick_gelu=self.quick_gelu, trust=self.trust_pretrained)

    def embed_image(self, images: ImageInputs) -> ImageEmbeddings:
        return self.image.embed(images)

    def embed_text(self, expressions: ExpressionBatch) -> TextEmbeddings:
        return self.text.embed(expressions)

    def encode_image(self, embeddings: ImageEmbeddings) -> ImageFeatures:
        return self.image.encode(embeddings)

    def encode_text(self, embeddings: TextEmbeddings) -> TextFeatures:
        return self.text.encode(embeddings)

    def join(self, image: ImageFeatures, text: TextFeatures, image_index: Tensor) -> EncoderOutput:
        return EncoderOutput(image=image, text=text, image_index=image_index)
