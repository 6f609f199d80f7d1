"""From which existence on something on the image is taken to fit a sentence."""

from typing import Optional

EXISTENCE_THRESHOLD = 0.5


def check_existence_threshold(threshold: Optional[float]) -> float:
    """Check a threshold of existence.

    Args:
        threshold (float, optional): In (0, 1). None: :data:`EXISTENCE_THRESHOLD`.

    Returns:
        float: The threshold.

    Raises:
        ValueError: If it is not in that range.
    """
    if threshold is None:
        return EXISTENCE_THRESHOLD
    if not 0 < threshold < 1:
        raise ValueError(f'existence_threshold is a probability in (0, 1), but got {threshold}.')
    return float(threshold)
