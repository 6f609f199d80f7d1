"""What is checked of a config's metrics before any work."""

from typing import Any, List, Mapping, Optional, Sequence, Union

from mmris.protocols import Protocol, find_protocol
from mmris.registry import METRICS

from .metric import ReferringIoUMetric


def own_metrics(evaluator: Union[dict, Sequence[dict], None]) -> List[dict]:
    """Find the configs of :class:`ReferringIoUMetric` in that of an evaluator.

    Args:
        evaluator (dict or Sequence[dict], optional): As a config has it.

    Returns:
        list[dict]: The configs themselves, in order.
    """
    return [metric for metric in _metrics(evaluator) if isinstance(metric, dict) and _is_own(metric.get('type'))]


def check_thresholds(config: Mapping[str, Any]) -> None:
    """Check that the protocol of a config takes the thresholds of its metrics and pictures, before any work.

    Args:
        config (Mapping): The config.

    Raises:
        ValueError: If the protocol is unknown, its way back applies another threshold, or it has no use for a
            threshold of existence.
    """
    protocol = _protocol_of(config)
    deciding = [*own_metrics(config.get('val_evaluator')), *own_metrics(config.get('test_evaluator'))]
    for metric in deciding:
        protocol.with_existence_threshold(metric.get('existence_threshold'))
    deciding += [hook for hook in config.get('custom_hooks') or () if isinstance(hook, dict) and 'threshold' in hook]
    for one in deciding:
        protocol.with_threshold(one.get('threshold'))


def check_save_best(config: Mapping[str, Any]) -> None:
    """Check that a training picks its best checkpoint by a score that the protocol gives, before any work.

    Evaluators that hold other metrics than :class:`ReferringIoUMetric` are not checked.

    Args:
        config (Mapping): The config.

    Raises:
        ValueError: If ``save_best`` of its checkpoint hook names a score that the protocol does not give; the message
            lists those that it gives.
    """
    hook = (config.get('default_hooks') or {}).get('checkpoint') or {}
    wanted = hook.get('save_best')
    metrics = _metrics(config.get('val_evaluator'))
    if not wanted or config.get('train_cfg') is None or not metrics or not all(map(_is_exactly_own, metrics)):
        return
    protocol = _protocol_of(config)
    names = [f'{prefix}{name}' for prefix in map(_prefix, metrics) for name in protocol.scoring.names]
    tagged = tuple(f'{_prefix(metric)}skill/' for metric in metrics if metric.get('by_skill'))
    for name in [wanted] if isinstance(wanted, str) else wanted:
        if name not in ('auto', *names) and not name.startswith(tagged):
            raise ValueError(
                f'default_hooks.checkpoint.save_best is {name!r}, but protocol {protocol.name} gives no such score. '
                f'Set it to one of {", ".join(names)}, such as --cfg-options default_hooks.checkpoint.save_best='
                f'{names[1]}.')


def _protocol_of(config: Mapping[str, Any]) -> Protocol:
    model = config.get('model') or {}
    return find_protocol(model.get('protocol', 'mmris'), model.get('resampling'))


def _metrics(evaluator: Union[dict, Sequence[dict], None]) -> Sequence[Any]:
    metrics = evaluator.get('metrics', evaluator) if isinstance(evaluator, dict) else evaluator
    return [metrics] if isinstance(metrics, dict) else metrics or []


def _prefix(metric: Mapping[str, Any]) -> str:
    return f'{metric["prefix"]}/' if metric.get('prefix') else ''


def _is_own(kind: Union[str, type, None]) -> bool:
    kind = _class_of(kind)
    return isinstance(kind, type) and issubclass(kind, ReferringIoUMetric)


def _is_exactly_own(metric: Any) -> bool:
    # A class of the user's may give other scores.
    return isinstance(metric, dict) and _class_of(metric.get('type')) is ReferringIoUMetric


def _class_of(kind: Union[str, type, None]) -> Optional[type]:
    return METRICS.get(kind) if isinstance(kind, str) else kind
