"""What an export folder says of itself in ``card.json``, read and checked."""

import inspect
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

from mmris.images import geometry, pillow_geometry
from mmris.images.geometry import InputGeometry
from mmris.names import EXPORT_FORMS
from mmris.protocols import Protocol, find_protocol
from mmris.utils.files import digest_file
from mmris.utils.text import shorten

from .fields import AGAIN, Fields

FORMAT, VERSION = 'mmris-export', 1
CARD = 'card.json'
#: The graphs of a form.
GRAPHS = ('image', 'sentences')
#: Tokenizers, and what a card says of each beside its type and its vocabulary.
TOKENIZERS = dict(
    WordTokenizer=('context_length', 'pad_to_longest'),
    WordPieceTokenizer=('context_length', 'pad_to_longest', 'keep_end'),
    BEiT3Tokenizer=('context_length', 'pad_to_longest', 'lower_case', 'semantic_token'),
    CLIPTokenizer=('context_length', 'pad_to_longest'))
GEOMETRIES = {
    kind.__name__: kind
    for kind in (geometry.Letterbox, geometry.CRISWarp, geometry.Resize, pillow_geometry.ResizeLongestSide,
                 pillow_geometry.PillowResize, pillow_geometry.LongestSideThenStretch)
}


@dataclass(frozen=True)
class Card:
    """What an export folder says of itself.

    Attributes:
        folder (Path): The folder.
        config (str, optional): The config that the model was built from. None: it was no file.
        weights (dict, optional): ``name`` and ``sha256`` of the file of the weights. None: they were in no file.
        views (dict[str, InputGeometry]): How each view of an image becomes an input, ``'main'`` first.
        tokenizer (dict): ``type``, ``vocabulary`` (Path) and the tokenizer's other arguments.
        protocol (Protocol): Which pixels belong to masks, with the threshold of the config.
        existence_threshold (float, optional): Below this existence, nothing fits. None: as the protocol says.
        max_expressions (int): The most sentences that are asked at once.
        state (tuple[str]): The names of what the image graph gives to the sentences graph.
        graphs (dict[str, Path]): The ONNX file of each of :data:`GRAPHS`, of the form that was asked for.
    """

    folder: Path
    config: Optional[str]
    weights: Optional[Mapping[str, str]]
    views: Mapping[str, InputGeometry]
    tokenizer: Mapping[str, Any]
    protocol: Protocol
    existence_threshold: Optional[float]
    max_expressions: int
    state: Tuple[str, ...]
    graphs: Mapping[str, Path]


def read_card(folder: Union[str, Path], form: str) -> Card:
    """Read an export folder's card, and check the files that the form needs.

    Args:
        folder (str or Path): The folder.
        form (str): One of :data:`mmris.names.EXPORT_FORMS`.

    Returns:
        Card: What it says.

    Raises:
        FileNotFoundError: If there is no such folder, no card in it, or a file that the form needs is missing.
        ValueError: If the card is malformed, of an unknown version, or names a file outside the folder or a type that
            this version of mmris does not know.
        ValueError: If the folder has no such form.
        ValueError: If a file's size or SHA-256 is not what the card says.
    """
    folder = Path(folder).resolve()
    fields = _open(folder)
    if fields.text('format') != FORMAT:
        raise fields.wrong('format', repr(FORMAT))
    if fields.whole_number('version') != VERSION:
        raise ValueError(f'{fields.where} is of version {fields.content["version"]}, but this mmris reads version '
                         f'{VERSION}. Use the version of mmris that exported the model, '
                         f'{fields.text("mmris_version")}, or export it again.')
    graphs = _read_graphs(fields, form)
    tokenizer = _read_tokenizer(fields.inner('tokenizer'))
    files = _read_files(fields)
    _check_files(fields, files, _needed(fields, files, form, [*graphs.values(), tokenizer['vocabulary']]))
    rules = fields.inner('protocol')
    return Card(
        folder=folder,
        config=fields.text('config', optional=True),
        weights=_read_weights(fields),
        views=_read_views(fields),
        tokenizer={**tokenizer, 'vocabulary': folder / tokenizer['vocabulary']},
        protocol=_read_protocol(rules),
        existence_threshold=_read_existence_threshold(rules),
        max_expressions=fields.whole_number('max_expressions', least=1),
        state=tuple(fields.texts('state')),
        graphs={name: folder / file for name, file in graphs.items()})


def _open(folder: Path) -> Fields:
    path = folder / CARD
    if not folder.is_dir():
        raise FileNotFoundError(f'There is no folder {folder}. Give the folder of an exported model.')
    if not path.is_file():
        raise FileNotFoundError(f'{folder} has no {CARD}, so that it is no exported model. Give the folder that an '
                                f'export wrote.')
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path} is not valid JSON ({error}). {AGAIN}') from error
    if not isinstance(content, dict):
        raise ValueError(f'{path} is {shorten(content)}, but must be an object of JSON. {AGAIN}')
    return Fields(content, str(path))


def _read_graphs(fields: Fields, form: str) -> Dict[str, str]:
    """The file of each graph of a form."""
    forms = fields.inner('forms')
    unknown = [name for name in forms.content if name not in EXPORT_FORMS]
    if unknown:
        raise ValueError(f'{forms.where} has {shorten(unknown[0])}, but this mmris knows {", ".join(EXPORT_FORMS)}. '
                         f'Use a newer mmris, or export the model again.')
    if form not in forms.content:
        raise ValueError(f'form must be one that {fields.where} has, {", ".join(forms.content) or "none"}, but got '
                         f'{form!r}.')
    one = forms.inner(form)
    return {graph: one.file_name(graph) for graph in GRAPHS}


def _read_tokenizer(fields: Fields) -> Dict[str, Any]:
    kind = fields.text('type')
    if kind not in TOKENIZERS:
        raise fields.wrong('type', f'one of {", ".join(TOKENIZERS)}')
    accepted = TOKENIZERS[kind]
    fields.check_names(('type', 'vocabulary', *accepted))
    settings = dict(type=kind, vocabulary=fields.file_name('vocabulary'))
    settings['context_length'] = fields.whole_number('context_length', least=2)
    for name in accepted[1:]:
        if name in fields.content:
            settings[name] = fields.truth(name)
    return settings


def _read_views(fields: Fields) -> Dict[str, InputGeometry]:
    views: Dict[str, InputGeometry] = {}
    for view in fields.inners('views'):
        name, form = view.text('name'), view.inner('geometry')
        kind = form.text('type')
        if kind not in GEOMETRIES:
            raise form.wrong('type', f'one of {", ".join(GEOMETRIES)}')
        form.check_names(('type', *inspect.signature(GEOMETRIES[kind]).parameters))
        form.size('size')
        if 'border_colour' in form.content:
            form.colour('border_colour')
        for setting in ('keep_overshoot', 'nearest_masks'):
            if setting in form.content:
                form.truth(setting)
        if name in views:
            raise ValueError(f'{fields.where}: views has {name} twice. {AGAIN}')
        views[name] = GEOMETRIES[kind](**{key: value for key, value in form.content.items() if key != 'type'})
    if 'main' not in views:
        raise ValueError(f'{fields.where}: views has {", ".join(views) or "none"}, but must have main. {AGAIN}')
    return {'main': views['main'], **views}


def _read_weights(fields: Fields) -> Optional[Dict[str, str]]:
    if fields.content.get('weights') is None:
        return None
    weights = fields.inner('weights')
    return dict(name=weights.text('name'), sha256=weights.text('sha256'))


def _read_protocol(fields: Fields) -> Protocol:
    resampling = fields.text('resampling', optional=True)
    try:
        return find_protocol(fields.text('name'), resampling).with_threshold(fields.number('threshold'))
    except ValueError as error:
        raise ValueError(f'{fields.where}: {error}') from error


def _read_existence_threshold(fields: Fields) -> Optional[float]:
    threshold = fields.number('existence_threshold')
    if threshold is not None and not 0 < threshold < 1:
        raise fields.wrong('existence_threshold', 'a probability in (0, 1), or null')
    return threshold


def _read_files(fields: Fields) -> Dict[str, Fields]:
    """What is said of each file, by its name."""
    listed = fields.inner('files')
    return {listed.check_file_name(name, 'a name'): listed.inner(name) for name in listed.content}


def _needed(fields: Fields, files: Mapping[str, Fields], form: str, used: List[str]) -> List[str]:
    """The files that a form needs: all that are listed, except graphs of other forms and what is named after those."""
    lacking = next((name for name in used if name not in files), None)
    if lacking is not None:
        raise ValueError(f'{fields.where}: files does not list {lacking}, which the card names. {AGAIN}')
    forms = fields.inner('forms')
    others = {forms.inner(name).file_name(graph) for name in forms.content if name != form for graph in GRAPHS}
    others -= set(used)
    return [name for name in files if name in used or not any(name.startswith(other) for other in others)]


def _check_files(fields: Fields, files: Mapping[str, Fields], names: List[str]) -> None:
    folder = Path(fields.where).parent
    for name in names:
        path = folder / name
        if not path.is_file():
            raise FileNotFoundError(f'{path} is missing, which {CARD} lists. Copy the whole folder of the exported '
                                    f'model again.')
        if path.resolve().parent != folder:
            raise ValueError(f'{path} is a link to outside the folder, {path.resolve()}, and is not followed. Put the '
                             f'file itself there.')
        size, wanted = path.stat().st_size, files[name].whole_number('bytes')
        if size != wanted:
            raise ValueError(f'{path} has {size:,} bytes, but {CARD} says {wanted:,}: it is not whole, or another '
                             f'file. Copy it again.')
        digest, expected = digest_file(path), files[name].text('sha256').lower()
        if digest != expected:
            raise ValueError(f'{path} has the SHA-256 {digest}, but {CARD} says {expected}: the file was changed. Copy '
                             f'it again.')
