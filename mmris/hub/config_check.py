"""What the config of a published model may say: parts of this package, and plain values.

MMEngine would import whatever a ``type`` names, and run it: ``'os.system'`` is a valid type for it. So each type is
looked up here first, among the classes that this package registered, in the place where a class of its kind belongs.
"""

import re
from typing import Any, Dict, Mapping, NoReturn, Optional, Tuple

from open_clip import get_model_config, list_models
from timm import is_model

from mmris.datasets.pipeline_steps import MAIN
from mmris.datasets.transforms import AffineTransform, Tokenize
from mmris.registry import MODELS, TRANSFORMS
from mmris.utils.text import shorten
from mmris.utils.type_parameters import parameters_of

from .folder import LIBRARY, VOCABULARIES
from .number_checks import MOST, NUMBERS, explain_number, is_whole

FORMAT = 1
#: What ``config.json`` holds. One of ``inputs`` and ``pipeline`` is there.
KEYS = ('library_name', 'format', 'mmris_version', 'config', 'model', 'inputs', 'pipeline', 'instance_masks',
        'thresholds')
#: Parts of a model that inference needs, and its settings. PyTorch orders some products of matrices by whether weights
#: are frozen, so that predictions are the same to the last bit with ``frozen`` alone.
MODEL_KEYS = ('type', 'data_preprocessor', 'encoder', 'neck', 'decoder', 'head', 'existence', 'frozen', 'protocol',
              'resampling', 'max_expressions')
#: Arguments of parts that only training needs, or that name files or addresses: a published model has none of them.
LEFT_OUT = ('pretrained', 'trust_pretrained', 'init_cfg', 'activation_checkpointing', 'load_from', 'checkpoint',
            'backend_args')
#: Settings of instance masks that a model may come with.
MASK_KEYS = ('min_score', 'max_instances')
# Where the class of a part is defined, by the argument that the part is given as.
_MODULES = dict(
    model='mmris.models.segmentors', data_preprocessor='mmris.models.data_preprocessor',
    encoder='mmris.models.encoders', neck='mmris.models.necks', decoder='mmris.models.decoders',
    head='mmris.models.heads', existence='mmris.models.heads', image='mmris.models.encoders.towers',
    text='mmris.models.encoders.towers', segmenter='mmris.models.encoders.towers', joint='mmris.models.encoders')
_TOKENIZERS = 'mmris.datasets.tokenizers'
# Pixels of a view's side, and tokens of a sentence. Published models have at most 1,024 of either.
_MOST_PIXELS = _MOST_TOKENS = 4096
# Neither paths nor addresses, templates or variables can be written with these.
_TEXT = re.compile(r'(?!.*\.\.)[A-Za-z0-9_.+ -]{0,100}')
_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]{0,60}')
_CONFIG_NAME = re.compile(r'(?!.*\.\.)(?:mmris::)?[A-Za-z0-9_+-][A-Za-z0-9_./+-]{0,200}')
# Others of open_clip's begin a download, or import a module.
_CLIP_KEYS = dict(
    embed_dim=None, quick_gelu=None, custom_text=None,
    vision_cfg=('image_size', 'patch_size', 'width', 'head_width', 'layers', 'mlp_ratio'),
    text_cfg=('context_length', 'vocab_size', 'width', 'heads', 'layers'))
# Of models of timm: what may be set of their own, and the largest numbers.
_TIMM = dict(embed_dim=2048, depth=128, num_heads=128, depths=128, dims=4096, window_size=64, patch_size=64,
             reg_tokens=64, mlp_ratio=16, qk_norm=1, qkv_bias=1, class_token=1, init_values=1, drop_rate=1,
             drop_path_rate=1, proj_drop_rate=1, attn_drop_rate=1)


class ImproperConfigError(ValueError):
    """What does not belong into the config of a published model: its dotted place there, and why."""


def check_config(content: Mapping[str, Any]) -> None:
    """Check the config of a published model. Nothing that it names is imported or run.

    Args:
        content (Mapping): What :func:`~mmris.hub.folder.read_plain_json` read, or what is to be written.

    Raises:
        ImproperConfigError: If something in it does not belong there.
    """
    for registry in (MODELS, TRANSFORMS):
        registry.import_from_location()
    _Check().config(content)


class _Check:
    """A check whose methods go down the config; ``where`` is the dotted path of what they look at."""

    def refuse(self, where: str, problem: str) -> NoReturn:
        raise ImproperConfigError(f'{where} {problem}')

    def config(self, content: Mapping[str, Any]) -> None:
        self._keys(content, KEYS, '')
        if content.get('library_name') != LIBRARY:
            self.refuse('library_name', f'is {shorten(content.get("library_name"))} instead of {LIBRARY!r}')
        if content.get('format') != FORMAT or isinstance(content['format'], bool):
            self.refuse('format', f'is {shorten(content.get("format"))}, but this version of mmris reads {FORMAT}')
        if ('inputs' in content) == ('pipeline' in content):
            self.refuse('the config', 'needs one of inputs and pipeline')
        self.text(content.get('mmris_version'), 'mmris_version')
        self.text(content.get('config'), 'config', _CONFIG_NAME)
        self.model(content.get('model'))
        if 'inputs' in content:
            self.inputs(content['inputs'])
        else:
            self.pipeline(content['pipeline'])
        for name, keys in (('instance_masks', MASK_KEYS), ('thresholds', ('threshold', 'existence_threshold'))):
            settings = content.get(name, {})
            self._keys(settings, keys, name)
            self.numbers(settings, name)

    def model(self, model: Any) -> None:
        self._keys(model, MODEL_KEYS, 'model')
        self.part(model, 'model', 'model')
        self.numbers(model, 'model')
        where, normalising = 'model.data_preprocessor', model.get('data_preprocessor')
        if not isinstance(normalising, dict):
            self.refuse(where, f'is {shorten(normalising)} instead of a dict with a type')
        self.numbers(normalising, where)
        views = normalising.get('views')
        for name, view in (views.items() if isinstance(views, dict) else ()):
            self.numbers(view if isinstance(view, dict) else {}, f'{where}.views.{name}')

    def part(self, part: Any, name: str, where: str) -> None:
        """Check a part of the model, and those inside it."""
        kind = self._registered(MODELS, part, where)
        module = _MODULES[name]
        if not f'{kind.__module__}.'.startswith(f'{module}.'):
            self.refuse(f'{where}.type', f'is {part["type"]}, which is not of {module}, where a part that can stand '
                        f'there is')
        for key, value in self._arguments(part, kind, where):
            if key in _MODULES and isinstance(value, dict):
                self.part(value, key, f'{where}.{key}')
            elif kind.__name__ == 'TimmTower' and key in ('model', 'options', 'image_size'):
                self.timm(key, value, f'{where}.{key}')
            elif key == 'architecture' and 'quick_gelu' in (parameters_of(kind) or ()):
                self.clip(value, f'{where}.{key}')
            else:
                self.plain(value, f'{where}.{key}')

    def inputs(self, inputs: Any) -> None:
        self._keys(inputs, ('tokenizer', 'views'), 'inputs')
        self.tokenizer(inputs.get('tokenizer'), 'inputs.tokenizer')
        views = inputs.get('views')
        if not isinstance(views, dict) or not views:
            self.refuse('inputs.views', f'is {shorten(views)} instead of a dict of views')
        for name, view in views.items():
            self._name(name, 'inputs.views')
            self.geometry(view, f'inputs.views.{name}')
            if 'view' in view:
                self.refuse(f'inputs.views.{name}.view', f'does not belong there: the view is called {name} already')
        if MAIN not in views:
            self.refuse('inputs.views', f'lacks {MAIN}, the view that masks are predicted on')

    def pipeline(self, steps: Any) -> None:
        if not isinstance(steps, list) or not steps:
            self.refuse('pipeline', f'is {shorten(steps)} instead of a list of steps')
        views, tokenizers = [], 0
        for number, step in enumerate(steps):
            where = f'pipeline.{number}'
            if self._registered(TRANSFORMS, step, where) is Tokenize:
                self._keys(step, ('type', 'tokenizer'), where)
                self.tokenizer(step.get('tokenizer'), f'{where}.tokenizer')
                tokenizers += 1
            else:
                self.geometry(step, where)
                views.append(step.get('view', MAIN))
        if tokenizers != 1:
            self.refuse('pipeline', f'has {tokenizers} steps of the type Tokenize instead of 1')
        if views.count(MAIN) != 1 or views[-1] != MAIN:
            self.refuse('pipeline', f'has steps for the views {shorten(views)}, but needs one for {MAIN}, after those '
                        f'for all others')

    def geometry(self, step: Any, where: str) -> None:
        kind = self._registered(TRANSFORMS, step, where)
        if not issubclass(kind, AffineTransform):
            self.refuse(f'{where}.type', f'is {step["type"]}, but a geometry such as Letterbox belongs there')
        for key, value in self._arguments(step, kind, where):
            self.plain(value, f'{where}.{key}')
        self.numbers(step, where)
        if not isinstance(step.get('view', MAIN), str):
            self.refuse(f'{where}.view', f'is {shorten(step["view"])} instead of the name of a view')
        sides = step['size'] if isinstance(step.get('size'), list) else [step.get('size')]
        if len(sides) not in (1, 2) or not all(is_whole(side, 1, _MOST_PIXELS) for side in sides):
            self.refuse(f'{where}.size', f'is {shorten(step.get("size"))} instead of 1 to {_MOST_PIXELS} pixels')

    def tokenizer(self, tokenizer: Any, where: str) -> None:
        kind = self._registered(TRANSFORMS, tokenizer, where)
        if not f'{kind.__module__}.'.startswith(f'{_TOKENIZERS}.'):
            self.refuse(f'{where}.type', f'is {tokenizer["type"]}, but a tokenizer such as CLIPTokenizer belongs there')
        for key, value in self._arguments(tokenizer, kind, where):
            self.plain(value, f'{where}.{key}')
        if not is_whole(tokenizer.get('context_length'), 2, _MOST_TOKENS):
            self.refuse(f'{where}.context_length', f'is {shorten(tokenizer.get("context_length"))} instead of 2 to '
                        f'{_MOST_TOKENS} tokens')
        expected = VOCABULARIES.get(tokenizer['type'])
        if tokenizer.get('vocabulary') != expected:
            self.refuse(f'{where}.vocabulary', f'is {shorten(tokenizer.get("vocabulary"))}, but must be '
                        f'{"left out" if expected is None else f"{expected!r}, the file beside the config"}')

    def clip(self, architecture: Any, where: str) -> None:
        """Check an architecture of open_clip's, whose configs can name models of other libraries and downloads."""
        self.plain(architecture, where)
        if isinstance(architecture, str):
            if architecture not in list_models():
                self.refuse(where, f'is {shorten(architecture)}, which is no architecture of open_clip')
            architecture = get_model_config(architecture)
        self._keys(architecture, tuple(_CLIP_KEYS), where)
        for name, keys in _CLIP_KEYS.items():
            if keys is not None:
                self._keys(architecture.get(name), keys, f'{where}.{name}')

    def timm(self, key: str, value: Any, where: str) -> None:
        """Check what a model of timm is built from: other names begin a download, other options import or read."""
        self.plain(value, where)
        if key == 'model':
            if not isinstance(value, str) or not is_model(value):
                self.refuse(where, f'is {shorten(value)}, which is no model of timm')
        elif key == 'image_size':
            sides = value if isinstance(value, list) else [value]
            if value is not None and not all(is_whole(side, 1, _MOST_PIXELS) for side in sides):
                self.refuse(where, f'is {shorten(value)} instead of 1 to {_MOST_PIXELS} pixels')
        elif value is not None:
            self._keys(value, tuple(_TIMM), where)
            for name, numbers in value.items():
                for number in numbers if isinstance(numbers, list) else [numbers]:
                    if not (isinstance(number, (int, float)) and 0 <= number <= _TIMM[name]):
                        self.refuse(f'{where}.{name}', f'has {shorten(number)} instead of 0 to {_TIMM[name]}')

    def numbers(self, settings: Mapping[str, Any], where: str) -> None:
        """Check those of a dict's settings that are numbers with a range."""
        for name, value in settings.items():
            problem = explain_number(name, value) if name in NUMBERS else ''
            if problem:
                self.refuse(f'{where}.{name}', problem)

    def plain(self, value: Any, where: str) -> None:
        """Check a value that names nothing to build."""
        if isinstance(value, dict):
            for key, inner in value.items():
                self._name(key, where)
                if key == 'type' or key in LEFT_OUT:
                    self.refuse(f'{where}.{key}', 'does not belong there')
                self.plain(inner, f'{where}.{key}')
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                self.plain(inner, f'{where}.{number}')
        elif isinstance(value, str):
            self.text(value, where)
        elif isinstance(value, int) and not -MOST <= value <= MOST:
            self.refuse(where, f'is {shorten(value)}, but no number above {MOST:,} is expected')

    def text(self, value: Any, where: str, form: re.Pattern = _TEXT) -> None:
        if not isinstance(value, str) or not form.fullmatch(value):
            self.refuse(where, f'is {shorten(value)}, but a plain name belongs there: no path, address or template')

    def _keys(self, content: Any, known: Tuple[str, ...], where: str) -> None:
        if not isinstance(content, dict):
            self.refuse(where or 'the config', f'is {shorten(content)} instead of a dict')
        for key in content:
            if key not in known:
                self.refuse(f'{where}.{shorten(key)[1:-1]}'.lstrip('.'), f'does not belong there: '
                            f'{where or "the config"} may have {", ".join(known)}')

    def _name(self, name: str, where: str) -> None:
        if not _NAME.fullmatch(name):
            self.refuse(f'{where}.{shorten(name)[1:-1]}', 'is not a plain name')

    def _registered(self, registry: Any, part: Any, where: str) -> type:
        """The class that ``type`` of a part names, if this package registered it."""
        if not isinstance(part, dict):
            self.refuse(where, f'is {shorten(part)} instead of a dict with a type')
        name = part.get('type')
        # Not registry.get, which imports what a dotted name says, and asks other packages.
        kind: Optional[type] = registry.module_dict.get(name) if isinstance(name, str) else None
        if not isinstance(kind, type) or not kind.__module__.startswith('mmris.'):
            self.refuse(f'{where}.type', f'is {shorten(name)}, which is not the name of a {registry.name} of mmris')
        return kind

    def _arguments(self, part: Mapping[str, Any], kind: type, where: str) -> list:
        """What a part is given beside its type, all of which its class takes."""
        accepted = (parameters_of(kind) or set()) - set(LEFT_OUT)
        self._keys(part, ('type', *sorted(accepted)), where)
        return [(key, value) for key, value in part.items() if key != 'type']


def vocabulary_of(content: Mapping[str, Any]) -> Optional[str]:
    """The name of the vocabulary's file that a checked config needs; None if it needs none.

    Args:
        content (Mapping): The config.
    """
    return tokenizer_of(content).get('vocabulary')


def tokenizer_of(content: Mapping[str, Any]) -> Dict[str, Any]:
    """The config of the tokenizer in that of a model.

    Args:
        content (Mapping): The config of a published model, checked or about to be.
    """
    if 'inputs' in content:
        return content['inputs']['tokenizer']
    return next((step['tokenizer'] for step in content['pipeline'] if step['type'] == 'Tokenize'), {})
