"""Which parts a check has, in order of importance, and how long each may take."""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence

from mmris.names import GPU_CHECKS

# Full size, and the same method at the size of the demo: config, images a step (as the card's memory allows).
_CONFIGS = (
    ('cm_masksd/vit-b_refcoco', 8, 'cm_masksd/vit-tiny_shaperef'),
    ('cm_masksd/vit-l_refcoco', 4, 'cm_masksd/vit-small_shaperef'),
    ('cris/rn101_refcoco', 8, 'cris/rn-tiny_shaperef'),
    ('shared_ris/beit3-b_refcoco', 8, 'shared_ris/tiny_shaperef'),
    ('risclip/vit-b_refcoco_stage1', 8, 'risclip/vit-tiny_shaperef_stage1'),
    ('risclip/vit-b_refcoco_stage2', 8, 'risclip/vit-tiny_shaperef_stage2'),
    ('evf_sam/vit-h_beit3-l_refcoco', 4, 'evf_sam/tiny_shaperef'),
)
_TINY = 'cm_masksd/vit-tiny_shaperef'
# RefCOCO's val; and as many objects and sentences an image on few.
_VAL = dict(images=1500, objects=3811, sentences=10834, distinct_pictures=64)
_BRIEF_VAL = dict(images=12, objects=30, sentences=87, distinct_pictures=4)
#: Seconds that an evaluation of RefCOCO's val shall take on one H100.
GOAL_SECONDS = 20


@dataclass(frozen=True)
class Part:
    """A part of the check, which is run in a process of its own.

    Attributes:
        name (str): What it is called, such as ``'steps cris/rn101_refcoco'``.
        kind (str): One of :data:`mmris.names.GPU_CHECKS`, by which ``--only`` chooses.
        least_seconds (float): It is not begun with less time left.
        most_seconds (float): It is stopped after so long.
        settings (dict): What the measurement of its kind takes.
    """

    name: str
    kind: str
    least_seconds: float
    most_seconds: float
    settings: Dict[str, Any] = field(default_factory=dict)


def plan_parts(*, brief: bool, on_gpu: bool, only: Optional[Sequence[str]] = None) -> List[Part]:
    """Plan the parts of a check, the most important first.

    Args:
        brief (bool): Small models and few samples, to see that all of it runs.
        on_gpu (bool): Whether it runs on a GPU.
        only (Sequence[str], optional): Kinds to choose. Default: None, all.

    Returns:
        list[Part]: The parts.
    """
    compiler = 'inductor' if on_gpu and not brief else 'aot_eager'
    parts = [
        *(_evaluation_part(precision, brief) for precision in ('bfloat16', 'float32')),
        *(_step_part(row, brief, 'steps', 25, 90, passes=['plain', 'checkpointing']) for row in _CONFIGS),
        Part('losses', 'losses', 20, 90, dict(configs=[row[2] for row in _CONFIGS])),
        Part('distributed', 'distributed', 20, 90, dict(config=_TINY, processes=None if on_gpu else 2)),
        Part('restart', 'restart', 20, 90, dict(config=_TINY)),
        # A minute or more each for one number: where time is left.
        *(_step_part(row, brief, 'compile', 60, 240, passes=['compiled'], backend=compiler) for row in _CONFIGS),
    ]
    if brief:
        # Interpreters that start on one slow core are most of it. One compilation stands for all.
        parts = [
            Part(one.name, one.kind, 10, 240, one.settings) for one in parts
            if one.kind != 'compile' or one.settings['config'] == _TINY
        ]
    return [part for part in parts if part.kind in (only or GPU_CHECKS)]


def _evaluation_part(precision: str, brief: bool) -> Part:
    """One precision a process: data workers of an earlier evaluation would end during a later one."""
    return Part(f'evaluation {precision}', 'evaluation', 40, 120, dict(
        config=_TINY if brief else _CONFIGS[0][0],
        precision=precision,
        goal_seconds=None if brief else GOAL_SECONDS,
        **(_BRIEF_VAL if brief else _VAL)))


def _step_part(row: Sequence, brief: bool, kind: str, least: float, most: float, **settings: Any) -> Part:
    full, batch_size, tiny = row
    settings.update(
        config=tiny if brief else full,
        batch_size=2 if brief else batch_size,
        steps=2 if brief else 10,
        most_seconds=1.0 if brief else 2.5)
    return Part(f'{kind} {settings["config"]}', kind, least, most, settings)
