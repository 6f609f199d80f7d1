from .bfloat16_optim_wrapper import BFloat16OptimWrapper
from .hooks import ExcludeFrozenHook, NonFiniteLossError, NonFiniteLossHook, RestartHook
from .runner import ReferringRunner
from .split_test_loop import SplitTestLoop

__all__ = [
    'BFloat16OptimWrapper', 'ExcludeFrozenHook', 'NonFiniteLossError', 'NonFiniteLossHook', 'ReferringRunner',
    'RestartHook', 'SplitTestLoop'
]
