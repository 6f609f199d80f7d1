"""Sentences that a model has encoded."""

import threading
from collections import OrderedDict
from typing import Callable, Dict, List, Sequence

import torch
from torch import nn

from mmris.structures import ExpressionBatch, TensorStructure

from .encoded_image import device_and_dtype

CAPACITY = 256
"""How many sentences are kept. A sentence of CLIP ViT-B takes 70 KB, so all of them take 18 MB."""


class EncodedSentences:
    """What a model makes of sentences without an image. The last :data:`CAPACITY` sentences are kept.

    Threads may share one. If the model or its weights change, all sentences are encoded again.

    Args:
        tokenize (Callable): From a list of sentences to ids ``(S, L)`` and mask ``(S, L)``.
    """

    def __init__(self, tokenize: Callable) -> None:
        self._tokenize = tokenize
        self._kept: OrderedDict[str, TensorStructure] = OrderedDict()
        self._weights: tuple = ()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple:
        # A copy keeps nothing: a lock cannot be copied.
        return EncodedSentences, (self._tokenize, )

    def encode(self, model: nn.Module, sentences: Sequence[str]) -> TensorStructure:
        """Encode sentences, but for those that are kept.

        Args:
            model (nn.Module): A :class:`~mmris.models.segmentors.ReferringSegmentor`.
            sentences (Sequence[str]): S sentences, at least one.

        Returns:
            TensorStructure: The encoder's text state, S rows.

        Raises:
            ValueError: If the model cannot take a sentence's tokens.
        """
        known = self._look_up(fingerprint(model), sentences)
        new = [sentence for sentence in dict.fromkeys(sentences) if sentence not in known]
        if new:
            known.update(zip(new, self._run(model, new)))
            self._keep(fingerprint(model), {sentence: known[sentence] for sentence in new})
        return TensorStructure.concatenate([known[sentence] for sentence in sentences])

    def _run(self, model: nn.Module, sentences: List[str]) -> List[TensorStructure]:
        """A row of each."""
        token_ids, token_mask = self._tokenize(sentences)
        rows = torch.arange(len(sentences))
        expressions = ExpressionBatch(token_ids=token_ids, token_mask=token_mask, image_index=torch.zeros_like(rows))
        device = model.data_preprocessor.device
        state = model.encode_sentences(expressions.to(device))
        return [state.select(row) for row in rows.to(device).split(1)]

    def _look_up(self, weights: tuple, sentences: Sequence[str]) -> Dict[str, TensorStructure]:
        with self._lock:
            if weights != self._weights:
                self._kept.clear()
                self._weights = weights
            known = {sentence: self._kept[sentence] for sentence in sentences if sentence in self._kept}
            for sentence in known:
                self._kept.move_to_end(sentence)
        return known

    def _keep(self, weights: tuple, states: Dict[str, TensorStructure]) -> None:
        with self._lock:
            if weights != self._weights:
                return
            self._kept.update(states)
            while len(self._kept) > CAPACITY:
                self._kept.popitem(last=False)


def fingerprint(model: nn.Module) -> tuple:
    """Return what differs once any weight of a model was changed, moved or replaced."""
    weights = [*model.parameters(), *model.buffers()]
    return (*device_and_dtype(model), *((weight.data_ptr(), weight._version) for weight in weights))
