from .hooks import NonFiniteLossError, NonFiniteLossHook, RestartHook
from .runner import ReferringRunner
from .split_test_loop import SplitTestLoop

__all__ = ['NonFiniteLossError', 'NonFiniteLossHook', 'ReferringRunner', 'RestartHook', 'SplitTestLoop']
