"""A model as a folder of ONNX graphs, a card and a vocabulary."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple, Union

import torch
from torch import nn

from mmris.apis import Predictor
from mmris.datasets.pipelines import find_tokenizer
from mmris.names import EXPORT_FORMS
from mmris.runtime.card import CARD, FORMAT, VERSION
from mmris.utils.files import digest_file
from mmris.utils.folders import remove_leftovers, write_folder
from mmris.utils.input_sizes import read_input_sizes
from mmris.version import __version__

from .description import describe_tokenizer, describe_views
from .goal import check_goal
from .graphs import export_image_half, export_sentence_half
from .halves import ImageHalf, SentenceHalf
from .smaller import write_int8

# Of the example that a graph is traced with.
_SENTENCES = 3


class Graphs(NamedTuple):
    """The graphs of an export.

    Attributes:
        names (dict[str, dict]): By form the names of the graphs ``image`` and ``sentences``.
        state (list[str]): Names of the state's tensors, which go from the one to the other.
        files (list[Path]): All files.
    """

    names: Dict[str, Dict[str, str]]
    state: List[str]
    files: List[Path]


def export_model(predictor: Predictor,
                 out: Union[str, Path],
                 *,
                 forms: Sequence[str] = ('float32', ),
                 weights: Union[str, Path, None] = None,
                 say: Callable[[str], None] = lambda line: None) -> Dict[str, Any]:
    """Write a model as graphs of ONNX: one for an image, and one for any number of sentences about it.

    The folder appears when all of it is written. It holds ``card.json``, which says how images and sentences become
    inputs and which thresholds hold, the vocabulary, and for each form two graphs.

    Args:
        predictor (Predictor): The model in float32, with the thresholds that the export is to have. Its model is moved
            to the processor.
        out (str or Path): The folder. It must be absent, empty, or an earlier export, which is replaced.
        forms (Sequence[str]): Of :data:`mmris.names.EXPORT_FORMS`: ``'float32'``, ``'float16'``, ``'int8'`` (the
            weights of linear maps). Default: float32 alone.
        weights (str or Path, optional): The file of the model's weights, of which the card keeps name and SHA-256.
            Default: None.
        say (Callable): Called with a line of progress. Default: progress is not shown.

    Returns:
        dict: The card.

    Raises:
        ValueError: If the model takes instance masks, or its test pipeline has steps that are not exported.
        ValueError: If there is no form, or an unknown one.
        FileExistsError: If ``out`` holds anything else.
    """
    model, out = predictor.model, Path(out).absolute()
    _check(model, forms)
    check_goal(out)
    remove_leftovers(out)
    model.cpu()
    with write_folder(out) as folder:
        card = _describe(predictor, weights)
        vocabulary = folder / card['tokenizer']['vocabulary']
        shutil.copyfile(predictor.vocabulary_file, vocabulary)
        graphs = _write_graphs(model, folder, forms, say)
        names = [vocabulary.name, *(path.name for path in graphs.files)]
        card.update(
            state=graphs.state, forms=graphs.names, files={name: _fingerprint(folder / name) for name in names})
        (folder / CARD).write_text(json.dumps(card, indent=1) + '\n', encoding='utf-8')
    return card


def _check(model: nn.Module, forms: Sequence[str]) -> None:
    unknown = [form for form in forms if form not in EXPORT_FORMS]
    if unknown or not forms:
        raise ValueError(f'forms are some of {", ".join(EXPORT_FORMS)}, but got {", ".join(unknown) or "none"}.')
    if model.encoder.takes_instances:
        raise ValueError(
            'The model takes instance masks in, and models with them cannot be exported. Take a config without, such '
            'as configs/mail/vilt-b_refcoco_two-modality.py.')


def _describe(predictor: Predictor, weights: Union[str, Path, None]) -> Dict[str, Any]:
    """The card, without what depends on the graphs."""
    model, protocol = predictor.model, predictor.protocol
    return dict(
        format=FORMAT,
        version=VERSION,
        mmris_version=__version__,
        config=Path(model.cfg.filename).name if model.cfg.filename else None,
        weights=None if weights is None else dict(name=Path(weights).name, **_fingerprint(Path(weights))),
        views=describe_views(model.cfg.test_dataloader.dataset.pipeline),
        tokenizer=describe_tokenizer(find_tokenizer(model.cfg), predictor.vocabulary_file),
        protocol=dict(
            name=protocol.name,
            resampling=model.resampling,
            threshold=protocol.threshold,
            existence_threshold=predictor.existence_threshold),
        max_expressions=model.max_expressions)


def _write_graphs(model: nn.Module, folder: Path, forms: Sequence[str], say: Callable[[str], None]) -> Graphs:
    graphs: Dict[str, List[List[Path]]] = {}
    if 'float32' in forms or 'int8' in forms:
        say('Writing float32')
        graphs['float32'], state = _trace(model, folder, '')
    if 'float16' in forms:
        say('Writing float16')
        graphs['float16'], state = _trace(copy.deepcopy(model).half(), folder, '_float16')
    if 'int8' in forms:
        say('Writing int8')
        graphs['int8'] = [
            write_int8(source, source.with_name(f'{source.stem}_int8.onnx')) for source, *_ in graphs['float32']
        ]
    for path in [] if 'float32' in forms else sum(graphs.pop('float32', []), []):
        path.unlink()
    return Graphs(
        names={form: dict(image=image[0].name, sentences=sentences[0].name)
               for form, (image, sentences) in graphs.items()},
        state=state,
        files=[path for parts in graphs.values() for part in parts for path in part])


def _trace(model: nn.Module, folder: Path, ending: str) -> Tuple[List[List[Path]], List[str]]:
    """Write the two graphs of a model as it is: the files of each, and the names of the state's tensors."""
    sizes = read_input_sizes(model.cfg)
    image = ImageHalf(model)
    views = [sizes.shape if view == 'main' else sizes.views[view] for view in image.views]
    inputs = [part for height, width in views
              for part in (255 * torch.rand(1, 3, height, width), torch.tensor([[0.0, 0.0, width, height]]))]
    with torch.no_grad():
        state = image.encode(*inputs)
    sentences, example = SentenceHalf(model, state), sizes.expressions(_SENTENCES)
    tokenizer = find_tokenizer(model.cfg)
    return [
        export_image_half(image, inputs, sentences.state_names, folder / f'image{ending}.onnx'),
        export_sentence_half(
            sentences, (example.token_ids, example.token_mask), list(state.named_tensors().values()),
            folder / f'sentences{ending}.onnx',
            longest=tokenizer['context_length'] if tokenizer.get('pad_to_longest') else None)
    ], sentences.state_names


def _fingerprint(path: Path) -> Dict[str, Any]:
    return dict(bytes=path.stat().st_size, sha256=digest_file(path))


def form_size(card: Dict[str, Any], form: str) -> int:
    """Count the bytes of a form's graphs, with the weights beside them.

    Args:
        card (dict): The card of an export.
        form (str): One of its forms.

    Returns:
        int: Bytes.
    """
    graphs = tuple(card['forms'][form].values())
    return sum(file['bytes'] for name, file in card['files'].items() if name.removesuffix('.data') in graphs)
