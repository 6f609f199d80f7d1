from .split_test_loop import SplitTestLoop

__all__ = ['SplitTestLoop']
