from .bfloat16_optim_wrapper import BFloat16OptimWrapper
from .hooks import (
    CheckpointHook,
    ExcludeFrozenHook,
    NonFiniteLossError,
    NonFiniteLossHook,
    PreemptionError,
    PreemptionHook,
    RestartHook,
    WatchdogHook,
)
from .runner import ReferringRunner
from .split_test_loop import SplitTestLoop
from .train_loop import ResumableTrainLoop

__all__ = [
    'BFloat16OptimWrapper', 'CheckpointHook', 'ExcludeFrozenHook', 'NonFiniteLossError', 'NonFiniteLossHook',
    'PreemptionError', 'PreemptionHook', 'ReferringRunner', 'RestartHook', 'ResumableTrainLoop', 'SplitTestLoop',
    'WatchdogHook'
]
