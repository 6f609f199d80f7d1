"""All benchmarks, by name, at full size and in brief."""

import tempfile
from pathlib import Path
from typing import Callable, Dict, NamedTuple, Optional

from mmris.datasets.shaperef import write_shaperef

from .caching import FULL_OPTIONS, measure_caching
from .compiling import measure_compiling
from .evaluation import measure_sentences, measure_whole_evaluation
from .models import BRIEF, FULL
from .precision import measure_agreement, measure_evaluation_precision, measure_training_precision
from .result import Result
from .training import measure_branches, measure_grouping

# A small model of each other method, whose steps are mostly overhead.
_SMALL = ('shared_ris/tiny_shaperef.py', 'risclip/vit-tiny_shaperef_stage1.py', 'mail/tiny_shaperef_two-modality.py',
          'evf_sam/tiny_shaperef.py')


class Case(NamedTuple):
    """A benchmark.

    Attributes:
        full (Callable): Measures it at full size.
        brief (Callable, optional): Measures it on small models. None: it is left out of a brief run.
    """

    full: Callable[[], Result]
    brief: Optional[Callable[[], Result]] = None


def _on_shaperef(measure: Callable[..., Result], images: int, last: int) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / 'shaperef'
        write_shaperef(str(data), seed=1, style='refcoco', counts=dict(train=1, val=images, testA=1, testB=1))
        return measure(data, last)


CASES: Dict[str, Case] = {
    'sentences': Case(lambda: measure_sentences(FULL['cm_masksd'], 7, 2),
                      lambda: measure_sentences(BRIEF['cm_masksd'], 7, 20)),
    'sentences_cris': Case(lambda: measure_sentences(FULL['cris'], 7, 2),
                           lambda: measure_sentences(BRIEF['cris'], 7, 20)),
    'branches': Case(lambda: measure_branches(FULL['cm_masksd'], 2, 2),
                     lambda: measure_branches(BRIEF['cm_masksd'], 8, 10)),
    'grouping': Case(lambda: measure_grouping(FULL['cm_masksd'], 4, 1, options=('model.distillation=None', )),
                     lambda: measure_grouping(BRIEF['cm_masksd'], 8, 10, goal=False)),
    'grouping_cris': Case(lambda: measure_grouping(FULL['cris'], 4, 2),
                          lambda: measure_grouping(BRIEF['cris'], 8, 10, goal=False)),
    **{
        f'grouping_{name.partition("/")[0]}': Case(
            lambda name=name: measure_grouping(name, 8, 10, goal=False),
            lambda name=name: measure_grouping(name, 8, 5, goal=False))
        for name in _SMALL
    },
    'bfloat16_training': Case(lambda: measure_training_precision(FULL['cm_masksd'], 2, 1)),
    'bfloat16_evaluation': Case(lambda: measure_evaluation_precision(FULL['cm_masksd'], 7, 2)),
    'bfloat16_masks': Case(lambda: _on_shaperef(measure_agreement, 100, 100),
                           lambda: _on_shaperef(measure_agreement, 30, 30)),
    'compiling': Case(lambda: measure_compiling(BRIEF['cm_masksd'], 20)),
    'cache': Case(lambda: measure_caching('evf_sam/vit-h_beit3-l_refcoco.py', FULL_OPTIONS, 4),
                  lambda: measure_caching('evf_sam/tiny_shaperef.py', (), 10)),
    'whole_evaluation': Case(lambda: _on_shaperef(measure_whole_evaluation, 500, 3),
                             lambda: _on_shaperef(measure_whole_evaluation, 400, 1)),
}
