"""Sentences that a model has encoded."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from mmris.structures import ExpressionBatch, TensorStructure

CAPACITY = 256
"""How many sentences are kept. A sentence of CLIP ViT-B takes 70 KB, so all of them take 18 MB."""


class EncodedSentences:
    """Encodes sentences as far as that needs no image, and keeps the last :data:`CAPACITY` sentences.

    Threads may share one. All sentences are encoded again if the model is another one, if its weights were loaded,
    moved, converted or changed in place, or under another autocast. A change through ``weight.data`` cannot be seen.

    Each sentence is kept at the length that it has alone, and padded when it is asked together with longer ones. So
    a long sentence does not make others costly.

    Args:
        tokenize (Callable): From a list of sentences to ids ``(S, L)`` and mask ``(S, L)``. L may differ from call to
            call.
    """

    def __init__(self, tokenize: Callable) -> None:
        self._tokenize = tokenize
        self._kept: OrderedDict[str, TensorStructure] = OrderedDict()
        self._condition = Condition.of(None)
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple:
        # A copy keeps nothing: a lock cannot be copied.
        return EncodedSentences, (self._tokenize, )

    def encode(self, model: nn.Module, sentences: Sequence[str]) -> TensorStructure:
        """Return sentences encoded. Those that are kept are not encoded again.

        Args:
            model (nn.Module): A :class:`~mmris.models.segmentors.ReferringSegmentor`.
            sentences (Sequence[str]): S sentences, at least one.

        Returns:
            TensorStructure: The encoder's text state, S rows.

        Raises:
            ValueError: If the model cannot take a sentence's tokens.
        """
        condition = Condition.of(model)
        known = self._look_up(condition, sentences)
        new = [sentence for sentence in dict.fromkeys(sentences) if sentence not in known]
        if new:
            known.update(self._run(model, new))
            self._keep(condition, {sentence: known[sentence] for sentence in new})
        return TensorStructure.concatenate([known[sentence] for sentence in sentences])

    def _run(self, model: nn.Module, sentences: List[str]) -> Dict[str, TensorStructure]:
        """A row of each. Those of one length are encoded together."""
        tokens = {sentence: self._tokenize([sentence]) for sentence in sentences}
        device, rows = model.data_preprocessor.device, {}
        for group in _group_by_length(tokens):
            token_ids, token_mask = (torch.cat(parts) for parts in zip(*(tokens[sentence] for sentence in group)))
            numbers = torch.arange(len(group))
            state = model.encode_sentences(
                ExpressionBatch(token_ids, token_mask, image_index=torch.zeros_like(numbers)).to(device))
            rows.update(zip(group, (state.select(number) for number in numbers.to(device).split(1))))
        return rows

    def _look_up(self, condition: 'Condition', sentences: Sequence[str]) -> Dict[str, TensorStructure]:
        with self._lock:
            if condition != self._condition:
                self._kept.clear()
                self._condition = condition
            known = {sentence: self._kept[sentence] for sentence in sentences if sentence in self._kept}
            for sentence in known:
                self._kept.move_to_end(sentence)
        return known

    def _keep(self, condition: 'Condition', states: Dict[str, TensorStructure]) -> None:
        with self._lock:
            if condition != self._condition:
                return
            self._kept.update(states)
            while len(self._kept) > CAPACITY:
                self._kept.popitem(last=False)


def _group_by_length(tokens: Dict[str, Tuple[Tensor, Tensor]]) -> List[List[str]]:
    groups: Dict[int, List[str]] = {}
    for sentence, (ids, _) in tokens.items():
        groups.setdefault(ids.size(1), []).append(sentence)
    return list(groups.values())


@dataclass(frozen=True)
class Condition:
    """What the encoding of a sentence depends on, besides the sentence.

    Attributes:
        weights (tuple): Address and version of each weight.
        autocast (tuple): Whether autocast is on, and its dtype.
        storages (list): What holds the weights: kept, so that no other weight gets an address of theirs.
    """

    weights: tuple
    autocast: tuple
    storages: list = field(compare=False)

    @classmethod
    def of(cls, model: Optional[nn.Module]) -> 'Condition':
        """The condition of a model at this moment. None: no model."""
        if model is None:
            return cls((), (), [])
        weights = [*model.parameters(), *model.buffers()]
        device = weights[0].device.type
        return cls(
            # Weights that inference mode made have no version.
            weights=tuple((weight.data_ptr(), weight.dtype, None if weight.is_inference() else weight._version)
                          for weight in weights),
            autocast=(torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)),
            storages=[weight.untyped_storage() for weight in weights])
