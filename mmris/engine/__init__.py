from .hooks import LeaveOutFrozenHook, NonFiniteLossError, NonFiniteLossHook, RestartHook
from .runner import ReferringRunner
from .split_test_loop import SplitTestLoop

__all__ = [
    'LeaveOutFrozenHook', 'NonFiniteLossError', 'NonFiniteLossHook', 'ReferringRunner', 'RestartHook', 'SplitTestLoop'
]
