from .hooks import ExcludeFrozenHook, NonFiniteLossError, NonFiniteLossHook, RestartHook
from .runner import ReferringRunner
from .split_test_loop import SplitTestLoop

__all__ = [
    'ExcludeFrozenHook', 'NonFiniteLossError', 'NonFiniteLossHook', 'ReferringRunner', 'RestartHook', 'SplitTestLoop'
]
