"""Interactive use of an exported model: set an image, then ask."""

from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from mmris import tokenizers
from mmris.images import GivenImage
from mmris.prediction import BaseEncodedImage, BasePredictor, Logits, Prediction
from mmris.protocols.numpy_ways_back import sigmoid
from mmris.tokenizers import SentenceTokenizer

from .card import Card, read_card
from .session import Graph


class OnnxPredictor(BasePredictor):
    """Masks for one's own image and sentences, by an exported model, without torch.

    ::

        predictor = OnnxPredictor('exported/vit-small')
        predictor.set_image('photo.jpg')
        prediction = predictor.predict(['the red circle', 'the star on the left'])
        prediction.masks, prediction.boxes, prediction.scores
        prediction.save('predictions')

    It has the methods of :class:`mmris.apis.Predictor`, and gives the same predictions up to rounding. An exported
    model takes no instance masks.

    Threads may share a predictor. The image that is set is each thread's own, and any thread may ask about any encoded
    image.

    It needs onnxruntime, NumPy, Pillow, OpenCV, tokenizers and sentencepiece. With matplotlib, pictures have letters
    of all languages.

    Attributes:
        model (Graphs): The graphs that run.
        card (Card): What the export folder says of itself.
        protocol (Protocol): Which pixels belong to masks: the model's protocol, with ``threshold``.
        existence_threshold (float): Below this existence, nothing fits.

    Args:
        folder (str or Path): An export folder.
        form (str): Of the weights: ``'float32'``, ``'float16'`` or ``'int8'``, if the folder has it. Default:
            ``'float32'``.
        threshold (float, optional): The probability, in [0, 1), above which a pixel belongs to a mask. Default: None,
            that of the folder.
        existence_threshold (float, optional): In (0, 1): if the model has an existence head that is less sure than
            this that anything fits, the mask is empty. Default: None, that of the folder.
        threads (int, optional): Threads of one run of the model. Default: None, as many as the process may use
            processors.
        providers (Sequence, optional): Execution providers of onnxruntime, the preferred one first, such as
            ``['CUDAExecutionProvider', 'CPUExecutionProvider']``. Default: None, the processor.

    Raises:
        FileNotFoundError, ValueError: If the folder is no export, or not whole (see :func:`~.card.read_card`), or has
            no such ``form``.
        ValueError: If ``threshold``, ``existence_threshold`` or ``threads`` is out of range, the protocol takes no
            other threshold than its own, or onnxruntime has no such provider.
        RuntimeError: If onnxruntime cannot load a graph.
    """

    takes_instance_masks = False

    def __init__(self,
                 folder: Union[str, Path],
                 *,
                 form: str = 'float32',
                 threshold: Optional[float] = None,
                 existence_threshold: Optional[float] = None,
                 threads: Optional[int] = None,
                 providers: Optional[Sequence[Any]] = None) -> None:
        self.card = card = read_card(folder, form)
        protocol = card.protocol.with_threshold(threshold)
        if existence_threshold is None:
            existence_threshold = card.existence_threshold
        if existence_threshold is None:
            existence_threshold = protocol.scoring.existence_threshold
        super().__init__(
            tokenizer=build_tokenizer(card), protocol=protocol, existence_threshold=existence_threshold)
        self.model = Graphs(card, threads, providers)

    def _encode(self, given: Sequence[GivenImage]) -> List[BaseEncodedImage]:
        return [self._encode_one(image) for image in given]

    def _encode_one(self, image: GivenImage) -> BaseEncodedImage:
        main, size = self.card.views['main'], image.pixels.shape[:2]
        state = self.model.encode(image.pixels)
        # Threads may share them.
        for array in (image.pixels, *state.values()):
            array.setflags(write=False)
        return BaseEncodedImage(
            pixels=image.pixels,
            path=image.path,
            instance_masks=None,
            state=state,
            row=0,
            affine=main.affine(*size),
            input_size=main.size,
            model=self.model)

    def _logits(self, sentences: List[str], image: BaseEncodedImage) -> Logits:
        return Logits(*self.model.segment(image.state, sentences, self._tokenizer))

    def _ask(self, sentences: Sequence[List[str]], images: Sequence[BaseEncodedImage]) -> List[Prediction]:
        # Each image has a state of its own, so that these are all the same image.
        image = images[0]
        logits, existence = self.model.segment(image.state, [sentence for own in sentences for sentence in own],
                                               self._tokenizer)
        ends = np.cumsum([len(own) for own in sentences])[:-1]
        sure = [None] * len(sentences) if existence is None else np.split(sigmoid(existence), ends)
        return [
            Prediction(
                sentences=tuple(own),
                probabilities=self.card.protocol.to_original_pixels(part, image.affine, image.input_size, image.size),
                protocol=self.protocol,
                image=image.pixels,
                existence=one,
                existence_threshold=self.existence_threshold,
                path=image.path) for own, part, one in zip(sentences, np.split(logits, ends), sure)
        ]


class Graphs:
    """The two graphs of an exported model.

    Threads may share them.

    Args:
        card (Card): What the export folder says.
        threads (int, optional), providers (Sequence, optional): See :class:`OnnxPredictor`.

    Raises:
        ValueError, RuntimeError: See :class:`~.session.Graph`.
    """

    def __init__(self, card: Card, threads: Optional[int], providers: Optional[Sequence[Any]]) -> None:
        self._views, self._most = card.views, card.max_expressions
        settings = dict(threads=threads, providers=providers)
        pixels = {name: shape for view, geometry in card.views.items()
                  for name, shape in zip(input_names(view), ((1, 3, *geometry.size), (1, 4)))}
        tokens = None, None if card.tokenizer.get('pad_to_longest') else card.tokenizer['context_length']
        self._image = Graph(card.graphs['image'], outputs=card.state, inputs=pixels, **settings)
        self._sentences = Graph(
            card.graphs['sentences'],
            outputs=['logits'],
            optional=['existence'],
            inputs=dict.fromkeys(card.state) | dict(token_ids=tokens, token_mask=tokens),
            **settings)

    def encode(self, pixels: np.ndarray) -> Dict[str, np.ndarray]:
        """Compute what an image needs without a sentence.

        Args:
            pixels (ndarray): ``(H0, W0, 3)`` uint8 RGB, upright.

        Returns:
            dict[str, ndarray]: The state, with 1 row.
        """
        values = {}
        for view, geometry in self._views.items():
            pixels_name, box_name = input_names(view)
            placed = geometry.place_image(pixels).transpose(2, 0, 1)[None]
            values[pixels_name] = np.ascontiguousarray(placed, dtype=np.float32)
            values[box_name] = np.array([geometry.image_box(*pixels.shape[:2])], dtype=np.float32)
        return self._image.run(values)

    def segment(self, state: Dict[str, np.ndarray], sentences: Sequence[str],
                tokenizer: SentenceTokenizer) -> Tuple[np.ndarray, Optional[np.ndarray]]:
        """Ask about an image, so many sentences at a time as the card says.

        Args:
            state (dict[str, ndarray]): Of the image, as :meth:`encode` gives it.
            sentences (Sequence[str]): P sentences, at least one.
            tokenizer (SentenceTokenizer): How they become ids.

        Returns:
            tuple[ndarray, ndarray or None]: Logits of masks ``(P, 1, h, w)`` float32, and of existence ``(P,)``
            float32; None if the model has no existence head.
        """
        answers = []
        for start in range(0, len(sentences), self._most):
            token_ids, token_mask = tokenizer(sentences[start:start + self._most])
            answers.append(self._sentences.run(dict(state, token_ids=token_ids, token_mask=token_mask)))
        logits, existence = (
            np.concatenate([answer[name] for answer in answers]).astype(np.float32)
            if name in self._sentences.outputs else None for name in ('logits', 'existence'))
        return logits, existence


def input_names(view: str) -> Tuple[str, str]:
    """What the image graph calls the pixels and the box of a view."""
    return ('pixels', 'box') if view == 'main' else (f'pixels_{view}', f'box_{view}')


def build_tokenizer(card: Card) -> SentenceTokenizer:
    """Build the tokenizer that a card names.

    Raises:
        FileNotFoundError, ValueError: See the tokenizers.
    """
    settings = dict(card.tokenizer)
    return getattr(tokenizers, settings.pop('type'))(**settings)
