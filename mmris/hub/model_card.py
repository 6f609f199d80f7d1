"""The model card: the front matter that the hub reads, and a page for people, of what was measured or given."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

import torch
import yaml
from torch import Tensor

from mmris.evaluation.tables import ALL_COLUMNS, format_results
from mmris.protocols import find_protocol
from mmris.utils.json_files import read_json_file
from mmris.utils.tables import markdown_table
from mmris.utils.terminal import one_line
from mmris.utils.text import shorten

from .config_check import tokenizer_of
from .folder import LIBRARY

TASK = 'image-segmentation'
_TAGS = ('referring-image-segmentation', 'referring-expression-segmentation', 'vision-language')


@dataclass(frozen=True)
class CardFacts:
    """What a model card says beside what the config and the weights tell.

    Attributes:
        name (str): The model's name.
        source (str): What users give to ``Predictor.from_pretrained``.
        scores (dict, optional): What ``mmris test --out`` wrote: scores by split. None: there are none.
        scored_on (str): The data that they are of. Default: ''.
        licence (str, optional): Its identifier on the hub, such as ``'apache-2.0'``. None: not given.
        datasets (tuple[str]): Identifiers of the data that the model was trained on. Default: none given.
    """
    name: str
    source: str
    scores: Optional[Dict[str, Dict[str, Any]]] = None
    scored_on: str = ''
    licence: Optional[str] = None
    datasets: Tuple[str, ...] = ()


def read_scores(path: Path) -> Dict[str, Dict[str, Any]]:
    """Read the scores that ``mmris test --out`` wrote.

    Args:
        path (Path): The JSON file.

    Returns:
        dict[str, dict]: Scores by split.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds anything else, or a score that is not a finite number.
    """
    if not path.is_file():
        raise FileNotFoundError(f'There is no file of scores {path}. `mmris test --out {path}` writes it.')
    content = read_json_file(path, 'Give the file that `mmris test --out FILE` wrote.')
    splits = content if isinstance(content, dict) else {}
    problem = next(_find_wrong_scores(splits, ''), None)
    if problem is not None:
        raise ValueError(f'{path}: {one_line(problem)}. Give the file that `mmris test --out FILE` wrote.')
    wrong = [name for name, scores in splits.items() if not isinstance(scores, dict) or not _count(scores)]
    if not splits or wrong:
        where = f'{wrong[0]} in it has no number of expressions' if wrong else 'it has no splits'
        raise ValueError(f'{path} does not hold scores: {where}. Give the file that `mmris test --out FILE` wrote.')
    return splits


def write_card(facts: CardFacts, content: Mapping[str, Any], weights: Mapping[str, Tensor]) -> str:
    """Write the model card.

    Args:
        facts (CardFacts): What was given and measured.
        content (Mapping): What ``config.json`` says.
        weights (Mapping[str, Tensor]): The weights.

    Returns:
        str: Markdown with YAML front matter.
    """
    matter = yaml.safe_dump(_front_matter(facts, content), sort_keys=False, allow_unicode=True, width=1000)
    sections = [
        f'---\n{matter}---',
        f'# {one_line(facts.name)}',
        'Referring image segmentation: given an image and a sentence, this model marks the pixels that the sentence '
        'refers to. It is a model of the Python package `mmris`.',
        _describe_model(facts, content, weights),
        f'## How to use it\n\n{_describe_use(facts, content)}',
        f'## How it was scored\n\n{_describe_scores(facts, content, weights)}',
    ]
    return '\n\n'.join(sections) + '\n'


def _front_matter(facts: CardFacts, content: Mapping[str, Any]) -> Dict[str, Any]:
    matter: Dict[str, Any] = dict(library_name=LIBRARY, pipeline_tag=TASK, tags=[LIBRARY, *_TAGS])
    if facts.licence is not None:
        matter['license'] = facts.licence
    if facts.datasets:
        matter['datasets'] = list(facts.datasets)
    if facts.scores:
        results = [_result(split, scores, facts, content) for split, scores in facts.scores.items()]
        matter['model-index'] = [dict(name=one_line(facts.name), results=[one for one in results if one['metrics']])]
    return matter


def _result(split: str, scores: Mapping[str, Any], facts: CardFacts, content: Mapping[str, Any]) -> Dict[str, Any]:
    """One entry of the hub's model index. Undefined scores are left out."""
    names = [name for name in ALL_COLUMNS if name != 'expressions' and _is_number(scores.get(name))]
    slug = re.sub(r'[^a-z0-9]+', '-', facts.scored_on.lower()).strip('-')
    return dict(
        task=dict(type=TASK, name='Referring image segmentation'),
        dataset=dict(name=one_line(facts.scored_on), type=slug or 'data', split=one_line(split),
                     args=dict(expressions=_count(scores), **_protocol(content))),
        metrics=[dict(type=name, name=name, value=round(float(scores[name]), 2)) for name in names])


def _describe_model(facts: CardFacts, content: Mapping[str, Any], weights: Mapping[str, Tensor]) -> str:
    model, tokenizer = content['model'], tokenizer_of(content)
    parts = [f'{name} {model[name]["type"]}' for name in ('encoder', 'neck', 'decoder', 'head', 'existence')
             if model.get(name) is not None]
    types = sorted({str(value.dtype).removeprefix('torch.') for value in weights.values() if value.is_floating_point()})
    rows = [
        ['config', f'`{content["config"]}`'],
        ['parts', ', '.join(parts)],
        ['weights', f'{sum(value.numel() for value in weights.values()):,} numbers ({", ".join(types)})'],
        ['image', ', '.join(_describe_views(content))],
        ['sentence', f'{tokenizer.get("type")}, at most {tokenizer.get("context_length")} tokens'],
        ['written by', f'mmris {content["mmris_version"]}'],
    ]
    if facts.datasets:
        rows.append(['trained on', ', '.join(facts.datasets)])
    if facts.licence is not None:
        rows.append(['licence', facts.licence])
    return markdown_table(['what', 'value'], rows, numbers=False)


def _describe_views(content: Mapping[str, Any]) -> List[str]:
    steps = content['inputs']['views'].values() if 'inputs' in content else content['pipeline']
    sizes = [(step['type'], step['size']) for step in steps if 'size' in step]
    return [f'{kind} to {" x ".join(map(str, size if isinstance(size, list) else [size, size]))} pixels'
            for kind, size in sizes]


def _describe_use(facts: CardFacts, content: Mapping[str, Any]) -> str:
    lines = [
        '```python',
        'from mmris.apis import Predictor',
        '',
        f'predictor = Predictor.from_pretrained({facts.source!r})',
        "predictor.set_image('photo.jpg')",
        "predictor.predict('the dog on the left').save('predictions')",
        '```',
        '',
        f'Or on a command line: `mmris predict --model {facts.source} photo.jpg "the dog on the left"`.',
    ]
    if 'instance_masks' in content:
        lines += ['', 'The model also takes in instance masks, which a segmenter found on the image: '
                  "`predictor.set_image('photo.jpg', instance_masks)`, or `--masks FILE` on a command line."]
    return '\n'.join(lines)


def _describe_scores(facts: CardFacts, content: Mapping[str, Any], weights: Mapping[str, Tensor]) -> str:
    if not facts.scores:
        return 'The publisher gave no scores.'
    how = _protocol(content)
    existence = '' if 'existence_threshold' not in how else \
        f' A sentence is rejected if its existence is below {how["existence_threshold"]}.'
    rounded = any(value.dtype == torch.float16 for value in weights.values())
    half = ' Parameters are stored as float16, to which they may have been rounded after they were scored.' \
        if rounded else ''
    counts = ', '.join(f'{_count(scores):,} on {split}' for split, scores in facts.scores.items())
    return (f'`mmris test` measured these scores on {one_line(facts.scored_on)}, by the protocol '
            f'`{how["protocol"]}`, in percent. A pixel belongs to a mask above the probability {how["threshold"]}.'
            f'{existence} Every sentence counts once: {counts}.{half}\n\n{format_results(facts.scores)}')


def _protocol(content: Mapping[str, Any]) -> Dict[str, Any]:
    """How masks are made and scored, by the config."""
    model, thresholds = content['model'], content['thresholds']
    protocol = find_protocol(model.get('protocol', 'mmris'), model.get('resampling'))
    protocol = protocol.with_threshold(thresholds.get('threshold'))
    how: Dict[str, Any] = dict(protocol=protocol.name, threshold=protocol.threshold)
    if model.get('resampling') is not None:
        how['resampling'] = model['resampling']
    if model.get('existence') is not None and protocol.scoring.uses_existence:
        protocol = protocol.with_existence_threshold(thresholds.get('existence_threshold'))
        how['existence_threshold'] = protocol.scoring.existence_threshold
    return how


def _count(scores: Mapping[str, Any]) -> int:
    """The number of sentences; of metrics with a prefix that of the first. 0 if it is not there."""
    if isinstance(scores.get('expressions'), int):
        return scores['expressions']
    nested = [value for key, value in scores.items() if isinstance(value, dict) and key != 'skill']
    return next((count for count in map(_count, nested) if count), 0)


def _find_wrong_scores(scores: Mapping[str, Any], place: str) -> Iterator[str]:
    """Describe each score of the card, and each count, that is none. ``place`` is such as ``val/skill/colour``."""
    for name, value in scores.items():
        what = f'{name[:60]} of {place[:100]} is {shorten(value)}, but must be'
        if name == 'expressions':
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                yield f'{what} a whole number of at least 0'
        elif name in ALL_COLUMNS:
            # JSON has whole numbers that no float holds.
            if value is not None and not (_is_number(value) and abs(value) <= sys.float_info.max):
                yield f'{what} a finite number or null'
        elif isinstance(value, dict):
            yield from _find_wrong_scores(value, f'{place}/{name}'.lstrip('/'))
        elif name == 'skill' or place.endswith('skill'):
            yield f'{what} a dict of scores'


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
