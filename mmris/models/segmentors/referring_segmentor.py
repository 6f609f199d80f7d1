"""The one segmentor of all methods: it wires the stages."""

from typing import Any, Collection, Dict, List, Optional, Sequence, Tuple, Union

import torch
import torch.nn.functional as F
from mmengine.model import ModuleDict
from mmseg.models.segmentors import BaseSegmentor
from torch import Tensor, nn

from mmris.protocols import find_protocol
from mmris.registry import MODELS
from mmris.structures import (
    Answer,
    EncoderOutput,
    ExpressionBatch,
    FusedFeatures,
    ImageInputs,
    MainPass,
    ReferringDataSample,
    ReferringInputs,
    TensorStructure,
    gather_existence,
    gather_input_masks,
)

from ..feature_cache import attach_cache
from .parts import check_names, find_part


@MODELS.register_module()
class ReferringSegmentor(BaseSegmentor):
    """Segments what sentences refer to.

    ::

        encoder ─► neck ─► decoder ─► head ─► logits ─► losses, or probabilities on the original pixels
           │                  └─► existence ─► logit ─► its loss, or how sure it is that anything fits
           └──────────────── distillation ─────┘          (training only)

    Training, evaluation and interactive use are one path: :meth:`encode_images` once an image, :meth:`segment` for
    any number of expressions about it.

    Args:
        encoder (dict): Config of an :class:`~mmris.models.encoders.Encoder`.
        neck (dict): Config of a module from ``EncoderOutput`` to ``FusedFeatures``.
        decoder (dict, optional): Config of a module from ``FusedFeatures`` to ``FusedFeatures``. None: the head takes
            what the neck gives.
        head (dict): Config of a module from ``FusedFeatures`` to ``(P, 1, h, w)`` logits.
        existence (dict, optional): Config of an :class:`~mmris.models.heads.ExistenceHead`, which says whether
            anything on the image fits a sentence. Default: None, the mask alone tells.
        losses (dict[str, dict], optional): Configs of the losses between logits and ground truth on the logits' grid,
            by the name that they are logged under (``loss_<name>``). In these three, a name with None is left out.
            Default: None, there are none.
        auxiliary_losses (dict[str, dict], optional): Configs of losses on anything that the main branch computes, as
            :class:`~mmris.models.losses.OriginalPixelsLoss`, by name. Defaults to None: none.
        distillation (dict[str, dict], optional): Configs of masked distillation branches, by name. Defaults to None:
            the plain baseline.
        frozen (str or Sequence[str]): Parts that are not trained, by dotted name: ``'encoder'``, ``'encoder.image'``,
            ``'head'``, or single parameters, as ``'neck.no_mask'``. Their weights get no gradient, and they stay in
            evaluation mode, also after :meth:`train`: no dropout, no update of running statistics. Copies that
            distillation branches own are not among them. Defaults to (): all are trained.
        feature_cache (dict, optional): Arguments of a :class:`~mmris.models.feature_cache.FeatureCache`, which keeps
            what frozen towers make of images, for training and evaluation. Default: None, all is computed.
        target_resize (str): How the ground truth comes to the logits' grid: ``'nearest'`` as CRIS does, which at
            stride s takes the first of s x s pixels, so shifts the mask by up to s / 2 pixels; ``'area'`` gives each
            cell its covered share, so no shift, and targets between 0 and 1 along edges. Defaults to ``'nearest'``.
        protocol (str): Whose protocol predictions are made and scored by, such as ``'cris'``; docs/metrics.md lists
            all. Default: ``'mmris'``.
        resampling (str, optional): The way from the logits to the original pixels alone, if it shall not be the
            protocol's: ``'bilinear'``, ``'cris'``, ``'evf_sam'`` and ``'evf_sam2'``, which resample logits, or
            ``'shared_ris'``, which applies its threshold of 0.35 and gives 0 and 1 alone. Default: None, the
            protocol's.
        max_expressions (int): How many expressions are segmented at once in evaluation; an image with more is done
            in chunks. Bounds memory. Defaults to 64.
        data_preprocessor (dict, optional): Config of the data preprocessor. Defaults to None.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If ``max_expressions`` is not positive, or ``target_resize``, ``protocol`` or ``resampling`` is
            unknown.
        ValueError: If there is a ``resampling``, and the protocol scores at the input.
        ValueError: If two of losses, auxiliary losses and distillation branches share a name.
        ValueError: If the model has no such part as ``frozen`` names.
        ValueError: If there is a ``feature_cache``, and no part of the encoder that it could keep features of.
    """

    def __init__(self,
                 *,
                 encoder: dict,
                 neck: dict,
                 decoder: Optional[dict] = None,
                 head: dict,
                 existence: Optional[dict] = None,
                 losses: Optional[Dict[str, dict]] = None,
                 auxiliary_losses: Optional[Dict[str, dict]] = None,
                 distillation: Optional[Dict[str, dict]] = None,
                 frozen: Union[str, Sequence[str]] = (),
                 feature_cache: Optional[dict] = None,
                 target_resize: str = 'nearest',
                 protocol: str = 'mmris',
                 resampling: Optional[str] = None,
                 max_expressions: int = 64,
                 data_preprocessor: Optional[dict] = None,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        if max_expressions < 1:
            raise ValueError(f'max_expressions must be at least 1, but got {max_expressions}.')
        if target_resize not in ('nearest', 'area'):
            raise ValueError(f"target_resize must be 'nearest' or 'area', but got {target_resize!r}.")
        self.target_resize = target_resize
        self.resampling = resampling
        self.protocol = find_protocol(protocol, resampling)
        self.max_expressions = max_expressions
        self.encoder = MODELS.build(encoder)
        self.neck = MODELS.build(neck)
        self.decoder = nn.Identity() if decoder is None else MODELS.build(decoder)
        self.head = MODELS.build(head)
        self.existence = None if existence is None else MODELS.build(existence)
        self.losses = nn.ModuleDict(_build_named(losses))
        self.auxiliary_losses = nn.ModuleDict(_build_named(auxiliary_losses))
        self.distillation = ModuleDict(_build_named(distillation, encoder=self.encoder, stages=self.stages))
        check_names(
            losses=self.losses,
            auxiliary_losses=self.auxiliary_losses,
            distillation=self.distillation,
            existence=() if self.existence is None else ('existence', ))
        # Names, not modules: what converts BatchNorms puts others in their place.
        self.frozen = (frozen, ) if isinstance(frozen, str) else tuple(frozen)
        for name in self.frozen:
            find_part(self, name).requires_grad_(False)
        self.feature_cache = None
        if feature_cache is not None:
            self.feature_cache = MODELS.build({'type': 'mmris.FeatureCache', **feature_cache})
            attach_cache(self, self.feature_cache)
        self.train()

    @property
    def stages(self) -> Tuple[nn.Module, nn.Module, nn.Module]:
        """tuple[nn.Module]: What follows the encoder: neck, decoder, head."""
        return self.neck, self.decoder, self.head

    def init_weights(self) -> None:
        """Initialise all stages; copies that distillation branches own begin as the stages do."""
        super().init_weights()
        self.init_branch_copies()

    def init_branch_copies(self, loaded: Collection[str] = ()) -> None:
        """Have the copies that distillation branches own begin as the stages are.

        Args:
            loaded (Collection[str]): Names of weights that a checkpoint gave: branches with some of their own among
                them stay as they are. Defaults to (): all begin.
        """
        for name, branch in self.distillation.items():
            if not any(key.startswith(f'distillation.{name}.stages.') for key in loaded):
                branch.copy_stages(self.stages)

    def train(self, mode: bool = True) -> 'ReferringSegmentor':
        """Go to training mode, or to evaluation mode; frozen parts stay in the latter."""
        if self.feature_cache is not None and mode != self.training:
            # Before and after an evaluation, hooks exchange weights, in ways that leave no trace.
            self.feature_cache.weights_may_differ()
        super().train(mode)
        for name in self.frozen:
            part = find_part(self, name)
            if isinstance(part, nn.Module):
                part.eval()
        return self

    def encode_images(self, images: ImageInputs) -> TensorStructure:
        """Compute all of B images that needs no sentence: the encoder's image state, B rows."""
        return self.encoder.look_at_images(images)[1]

    def encode_sentences(self, expressions: ExpressionBatch) -> TensorStructure:
        """Compute all of P sentences that needs no image, ``max_expressions`` at a time: the encoder's text state.

        Returns:
            TensorStructure: P rows.
        """
        return TensorStructure.concatenate([
            self.encoder.encode_text(self.encoder.embed_text(expressions.select(rows)))
            for rows in self._chunks(expressions.image_index)
        ])

    def segment(self, images: TensorStructure, sentences: TensorStructure, image_index: Tensor) -> Answer:
        """Segment sentences about images, ``max_expressions`` at a time. Both are encoded already.

        Args:
            images (TensorStructure): Image state of B rows, of :meth:`encode_images`.
            sentences (TensorStructure): Text state of P rows, of :meth:`encode_sentences`.
            image_index (Tensor): ``(P,)`` int64, the row of ``images`` that each sentence is about.

        Returns:
            Answer: Of P rows.
        """
        answers = []
        for rows in self._chunks(image_index):
            used, index = image_index[rows].unique(return_inverse=True)
            answers.append(self._ask(images.select(used), sentences.select(rows), index))
        return Answer.concatenate(answers)

    def _ask(self, images: TensorStructure, sentences: TensorStructure, image_index: Tensor) -> Answer:
        return self.answer(self.fuse(self.encoder.join(images, sentences, image_index)))

    def _chunks(self, image_index: Tensor) -> Sequence[Tensor]:
        return torch.arange(len(image_index), device=image_index.device).split(self.max_expressions)

    def decode(self, encoded: EncoderOutput) -> Tensor:
        """Run neck, decoder and mask head: ``(P, 1, h, w)`` logits."""
        return self.head(self.fuse(encoded))

    def answer(self, fused: FusedFeatures) -> Answer:
        """Run the heads."""
        logits = self.head(fused)
        return Answer(logits, None if self.existence is None else self.existence(fused, logits))

    def fuse(self, encoded: EncoderOutput) -> FusedFeatures:
        """Run neck and decoder."""
        return self.decoder(self.neck(encoded))

    def loss(self, inputs: ReferringInputs, data_samples: List[ReferringDataSample]) -> Dict[str, Tensor]:
        """Compute all losses of a batch.

        Args:
            inputs (ReferringInputs): The batch.
            data_samples (list[ReferringDataSample]): B samples with what auxiliary losses want, with ``gt_input``
                if there are losses on the logits' grid or distillation branches, and with ``gt_existence`` if there is
                an existence head.

        Returns:
            dict[str, Tensor]: ``loss_<name>`` of each loss, each auxiliary loss and each distillation branch, and
            ``loss_existence``, weights included: these add up to what is optimised. Beside them what was measured,
            under names without ``loss``, which is logged only: ``target_share_<name>`` and ``chance_<name>`` of a
            :class:`~mmris.models.distillation.MaskedVisualDistillation`, with ``masked_image_<name>`` and
            ``masked_words_<name>`` of a :class:`~mmris.models.distillation.MaskRISDistillation`,
            ``existence_accuracy`` and ``chance_existence``.

        Raises:
            ValueError: If the model has nothing to optimise, or a sample lacks what is needed.
        """
        if not (self.losses or self.auxiliary_losses or self.distillation or self.existence):
            raise ValueError('There is nothing to optimise: the model has no losses, auxiliary_losses, distillation or '
                             'existence. Set model.losses.')
        main = self.main_pass(inputs)
        losses: Dict[str, Tensor] = {}
        measured: Dict[str, Tensor] = {}
        if self.losses or self.distillation:
            asking = ', '.join(f'model.{name}' for name in ('losses', 'distillation') if getattr(self, name))
            target = gather_input_masks(data_samples, asking)
            resized = F.interpolate(target, size=main.logits.shape[-2:], mode=self.target_resize)
            losses.update({f'loss_{name}': loss(main.logits, resized) for name, loss in self.losses.items()})
        for name, loss in self.auxiliary_losses.items():
            losses[f'loss_{name}'] = loss(main, data_samples)
        for name, branch in self.distillation.items():
            output = branch(main, self.encoder, self.stages, target)
            losses[f'loss_{name}'] = output.loss
            measured.update(output.measured_by_name(name))
        if self.existence is not None:
            exists = gather_existence(data_samples)
            losses['loss_existence'] = self.existence.loss(main.existence, exists)
            measured.update(self.existence.measure(main.existence, exists))
        return {**losses, **measured}

    def main_pass(self, inputs: ReferringInputs) -> MainPass:
        """Run the main branch and keep what auxiliary losses look at, and distillation branches replay."""
        image_embeddings, image_state = self.encoder.look_at_images(inputs.images)
        text_embeddings = self.encoder.embed_text(inputs.expressions)
        text_state = self.encoder.encode_text(text_embeddings)
        image_index = inputs.expressions.image_index
        encoded = self.encoder.join(image_state, text_state, image_index)
        fused = self.fuse(encoded)
        answer = self.answer(fused)
        return MainPass(
            inputs=inputs,
            image_embeddings=image_embeddings,
            text_embeddings=text_embeddings,
            image_state=image_state,
            text_state=text_state,
            image_index=image_index,
            encoded=encoded,
            fused=fused,
            logits=answer.logits,
            protocol=self.protocol,
            existence=answer.existence)

    def predict(self, inputs: ReferringInputs,
                data_samples: List[ReferringDataSample]) -> List[ReferringDataSample]:
        """Predict probabilities on the original pixels.

        Returns:
            list[ReferringDataSample]: The samples, each with ``probabilities (S, H0, W0)`` and the name of the
            ``protocol`` (and ``resampling``) that they were made by; with ``probabilities_input (S, H, W)`` if the
            protocol scores at the input, and with ``existence (S,)`` in [0, 1] if there is an existence head.

        Raises:
            ValueError: If an image became an input by another geometry than the protocol's.
        """
        counts = [len(sample.token_ids) for sample in data_samples]
        answer = self._answer_batch(inputs)
        for sample, logits in zip(data_samples, answer.logits.split(counts)):
            sample.probabilities = self.protocol.to_original_pixels(logits, sample.affine, sample.img_shape,
                                                                    sample.ori_shape)
            if self.protocol.at_input:
                sample.probabilities_input = self.protocol.probabilities_at_input(logits, sample.img_shape)
            sample.set_metainfo(dict(protocol=self.protocol.name, resampling=self.resampling))
        if answer.existence is not None:
            for sample, existence in zip(data_samples, answer.existence.float().sigmoid().split(counts)):
                sample.existence = existence
        return data_samples

    def extract_feat(self, inputs: ReferringInputs) -> EncoderOutput:
        """Encode images and expressions."""
        expressions = inputs.expressions
        text = self.encoder.encode_text(self.encoder.embed_text(expressions))
        images = self.encode_images(inputs.images)
        return self.encoder.join(images, text, expressions.image_index)

    def encode_decode(self,
                      inputs: ReferringInputs,
                      batch_data_samples: Optional[List[ReferringDataSample]] = None) -> Tensor:
        """Logits ``(P, 1, h, w)`` of all expressions."""
        return self._answer_batch(inputs).logits

    def _answer_batch(self, inputs: ReferringInputs) -> Answer:
        sentences, image_index = self.encode_sentences(inputs.expressions), inputs.expressions.image_index
        images = self.encode_images(inputs.images)
        # All images are asked about, and to find that out would make the processor wait for a GPU.
        ask = self._ask if len(image_index) <= self.max_expressions else self.segment
        return ask(images, sentences, image_index)

    def _forward(self,
                 inputs: ReferringInputs,
                 data_samples: Optional[List[ReferringDataSample]] = None) -> Tensor:
        return self.encode_decode(inputs)


def _build_named(configs: Optional[Dict[str, Optional[dict]]], **wiring: Any) -> Dict[str, nn.Module]:
    return {
        name: MODELS.build(config, default_args=wiring or None)
        for name, config in (configs or {}).items() if config is not None
    }
