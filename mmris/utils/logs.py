"""Messages of modules that must also work without MMEngine."""

import logging
import sys


def log_warning(text: str) -> None:
    """Log a warning: by MMEngine's current logger if MMEngine has been imported, and else by Python's of ``mmris``.

    Args:
        text (str): The warning.
    """
    if 'mmengine' not in sys.modules:
        logging.getLogger('mmris').warning(text)
        return
    from mmengine.logging import print_log
    print_log(text, logger='current', level=logging.WARNING)
