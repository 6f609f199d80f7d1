"""Where a model looks, for one image and a sentence."""

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from mmris.images import GivenImage
from mmris.prediction import Prediction
from mmris.prediction.sentences import read_sentence
from mmris.protocols.torch_ways_back import resample_once
from mmris.structures import EncoderOutput, FusedFeatures, word_positions

from .attention_probes import (
    CLASS_ON_PATCHES,
    END_ON_PATCHES,
    PIXELS_ON_WORDS,
    SENTENCE_WITH_PATCHES,
    START_ON_PATCHES,
    Probe,
    find_probes,
)
from .encoded_image import EncodedImage
from .predictor import Predictor

# Weights are read by hooks on modules, which would also read what another thread runs.
_WATCHING = threading.RLock()


@dataclass(frozen=True)
class AttentionMap:
    """How much is looked at, or looks, at each place of an image; the mean over the attention's heads.

    What the values are depends on the kind:

    - ``'start token on patches'``: weights of the sentence's start token (the paper's textual [CLS]) on patches,
    - ``'class token on patches'``: those of the image's class token in a tower that does not see the sentence,
    - ``'pixels on words'``: how much of each pixel's attention falls on the sentence's words; the rest falls on its
      start and end token, and in DETRIS's encoder on padding,
    - ``'sentence with patches'``: no attention, but the dot product of the sentence with each patch in the joint
      space, by which CM-MaskSD filters patches; of encoders that have such a space, in which the sentence does not
      look at patches.

    Attributes:
        part (str): ``'encoder'``, ``'neck'`` or ``'decoder'``.
        name (str): Which one of that part, such as ``'layer 3'``.
        kind (str): One of the above.
        values (ndarray): ``(H0, W0)`` float32, on the original pixels, without letterbox border.
        share (float, optional): Of weights on patches, their sum: how much of all attention falls on patches, those of
            a letterbox border among them; the rest falls on words, class token and instances. None of the other kinds.
    """

    part: str
    name: str
    kind: str
    values: np.ndarray
    share: Optional[float] = None

    @property
    def heat(self) -> np.ndarray:
        """ndarray: ``(H0, W0)`` float32 in [0, 1]: weights from 0 to their maximum, other values from their lowest to
        their highest. All 0 where there is no difference."""
        low = self.values.min() if self.share is None else 0
        span = self.values.max() - low
        return (self.values - low) / (span if span > 0 else 1)


@dataclass(frozen=True)
class Attention:
    """What a model saw in an image for a sentence.

    Attributes:
        prediction (Prediction): Of that one sentence, as :meth:`Predictor.predict` gives it.
        maps (list[AttentionMap]): Of encoder, neck and decoder, in the order of the model.
    """

    prediction: Prediction
    maps: List[AttentionMap]


@dataclass(frozen=True, eq=False, repr=False)
class WatchedImage(EncodedImage):
    """An :class:`EncodedImage`, with what its own half of the model looked at.

    Attributes:
        attention (Mapping[int, Tensor]): Weights ``(T, S)`` float32, by the place of their probe.
    """

    attention: Mapping[int, Tensor]


class AttentionPredictor(Predictor):
    """A :class:`Predictor` that also tells where the model looks.

    ::

        predictor = AttentionPredictor('configs/shared_ris/tiny_shaperef.py', 'work_dirs/tiny_shaperef/epoch_4.pth')
        predictor.set_image('photo.jpg')
        for one in predictor.look('the red circle').maps:
            print(one.part, one.name, one.kind, one.values.max())

    The weights are those that the model uses, read from the inputs of its modules while it predicts; what it predicts
    is the same. Which maps there are depends on the model: see :func:`~mmris.apis.attention_probes.find_probes`.

    Threads may share one, as they may share a :class:`Predictor`. They then run one after the other.

    Args:
        config (str, Path or Config): As of :class:`Predictor`.
        checkpoint (str or Path, optional): As of :class:`Predictor`.
        **settings: ``device``, ``threshold``, ``dtype`` and ``existence_threshold``, as of :class:`Predictor`.

    Raises:
        FileNotFoundError, ValueError, RuntimeError: As :class:`Predictor`.
        ValueError: If the model is to be compiled.
    """

    def __init__(self, config: Union[str, Path, Config], checkpoint: Optional[Union[str, Path]] = None,
                 **settings: Any) -> None:
        if settings.get('compile'):
            raise ValueError('AttentionPredictor reads the inputs of single modules, which a compiled model does not '
                             'show: leave out compile.')
        super().__init__(config, checkpoint, **settings)
        self._probes = find_probes(self.model)

    def predict_batch(self, sentences: Sequence[Union[str, Sequence[str]]],
                      images: Sequence[EncodedImage]) -> List[Prediction]:
        """Predict for the sentences of several images: see :meth:`Predictor.predict_batch`."""
        with _WATCHING:
            return super().predict_batch(sentences, images)

    @torch.inference_mode()
    def look(self, sentence: str, *, image: Optional[EncodedImage] = None) -> Attention:
        """Predict for a sentence about an image, and tell where the model looks.

        Args:
            sentence (str): The sentence.
            image (EncodedImage, optional): What :meth:`set_image` returned. Defaults to None: the image that this
                thread has set last.

        Returns:
            Attention: Prediction and maps.

        Raises:
            RuntimeError, ValueError: As :meth:`Predictor.predict`.
            ValueError: If ``image`` was encoded without a look at the weights, by a :class:`Predictor`.
        """
        image, sentence = self._choose_image(image), read_sentence(sentence)
        if not isinstance(image, WatchedImage):
            raise ValueError('The image was encoded without a look at the weights: call set_image of an '
                             'AttentionPredictor with it.')
        with self._watch() as (weights, inputs):
            prediction = self.predict(sentence, image=image)
        weights = {**image.attention, **weights}
        encoded, fused = inputs['neck'], inputs['decoder']
        maps = [_map(probe, weights[place], encoded, fused, image) for place, probe in enumerate(self._probes)]
        joint_space = encoded.image.patches.size(2) == encoded.text.sentence.size(1)
        if joint_space and not any(one.part == 'encoder' and one.kind == START_ON_PATCHES for one in maps):
            after = sum(one.part == 'encoder' for one in maps)
            maps.insert(after, _correlation(encoded, image))
        return Attention(prediction=prediction, maps=maps)

    def _encode(self, given: Sequence[GivenImage]) -> List[EncodedImage]:
        """One after the other: the weights are those of a single image."""
        watched: List[EncodedImage] = []
        for image in given:
            with self._watch() as (weights, _):
                encoded, = super()._encode([image])
            watched.append(WatchedImage(**vars(encoded), attention=weights))
        return watched

    @contextmanager
    def _watch(self) -> Iterator[Tuple[Dict[int, Tensor], Dict[str, Any]]]:
        """Collect weights ``(T, S)`` float32, by the place of their probe, and what neck and decoder take, while it
        lasts. Other threads wait."""
        weights: Dict[int, Tensor] = {}
        inputs: Dict[str, Any] = {}

        def keep_weights(place: int, probe: Probe) -> Callable:

            def hook(module: torch.nn.Module, arguments: tuple, options: dict) -> None:
                weights[place] = probe.weights(module, *arguments, **options)[0].float().mean(dim=0)

            return hook

        def keep_input(part: str) -> Callable:

            def hook(module: torch.nn.Module, arguments: tuple) -> None:
                inputs[part], = arguments

            return hook

        with _WATCHING:
            handles = [
                probe.module.register_forward_pre_hook(keep_weights(place, probe), with_kwargs=True)
                for place, probe in enumerate(self._probes)
            ]
            handles += [
                getattr(self.model, part).register_forward_pre_hook(keep_input(part)) for part in ('neck', 'decoder')
            ]
            try:
                yield weights, inputs
            finally:
                for handle in handles:
                    handle.remove()


def _map(probe: Probe, weights: Tensor, encoded: EncoderOutput, fused: FusedFeatures,
         image: EncodedImage) -> AttentionMap:
    grid = fused.pixels.shape[-2:] if probe.part == 'decoder' else encoded.image.stages[probe.stage].shape[-2:]
    cells, words = grid[0] * grid[1], encoded.text.token_mask.size(1)
    share = None
    if probe.kind == PIXELS_ON_WORDS:
        # A class token may stand before the pixels.
        values = (weights[-cells:] * word_positions(encoded.text.token_mask)).sum(dim=1)
    elif probe.kind == END_ON_PATCHES:
        values = weights[encoded.text.token_mask.sum() - 1, -cells:]
        share = float(values.sum())
    else:
        # Words come last, and the start token first of them; the class token's row is of a tower without words.
        after = 0 if probe.kind == CLASS_ON_PATCHES else words
        end = weights.size(1) - after
        values = weights[-after, end - cells:end]
        share = float(values.sum())
    return AttentionMap(
        part=probe.part,
        name=probe.name,
        kind=probe.kind,
        values=_resample(values, grid, image, encoded.region),
        share=share)


def _correlation(encoded: EncoderOutput, image: EncodedImage) -> AttentionMap:
    values = encoded.image.patches[encoded.image_index[0]].float() @ encoded.text.sentence[0].float()
    grid = encoded.image.stages[-1].shape[-2:]
    return AttentionMap(
        part='encoder',
        name='joint space',
        kind=SENTENCE_WITH_PATCHES,
        values=_resample(values, grid, image, encoded.region))


def _resample(values: Tensor, grid: Tuple[int, int], image: EncodedImage, region: Optional[Tensor]) -> np.ndarray:
    """Bring a value of each cell to the original pixels. The cells cover ``region`` of the input, or all of it."""
    affine, size = image.affine, image.input_size
    if region is not None:
        x0, y0, x1, y1 = region[0].tolist()
        affine = affine - np.array([[0, 0, x0], [0, 0, y0]])
        size = (y1 - y0, x1 - x0)
    return resample_once(values.view(1, 1, *grid), affine, size, image.size)[0].cpu().numpy()


def summarise_maps(maps: Sequence[AttentionMap]) -> List[AttentionMap]:
    """Keep what Shared-RIS shows: the last map of encoder and decoder, and the mean over a neck's.

    Args:
        maps (Sequence[AttentionMap]): Of one sentence.

    Returns:
        list[AttentionMap]: One of each part and kind.
    """
    groups: Dict[Tuple[str, str], List[AttentionMap]] = {}
    for one in maps:
        groups.setdefault((one.part, one.kind), []).append(one)
    return [_mean(group) if part == 'neck' and len(group) > 1 else group[-1] for (part, _), group in groups.items()]


def _mean(maps: Sequence[AttentionMap]) -> AttentionMap:
    first = maps[0]
    return AttentionMap(
        part=first.part,
        name=f'mean of {len(maps)}',
        kind=first.kind,
        values=np.mean([one.values for one in maps], axis=0),
        share=None if first.share is None else float(np.mean([one.share for one in maps])))
