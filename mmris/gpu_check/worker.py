"""The process of one part: ``python -m mmris.gpu_check.worker REQUEST RESULT``, both JSON files."""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Dict

from mmris.utils.json_files import write_json_file

# Which module measures what, where it has another name.
_MODULES = dict(compile='steps')


def work(request: Path, result: Path) -> int:
    """Measure, and write rows as they come, so that those of a part that is stopped are not lost.

    Args:
        request (Path): ``kind`` and ``settings`` of a :class:`~.plan.Part`.
        result (Path): Gets ``rows``, and ``error``, which is None if there was none.

    Returns:
        int: The exit status: 1 after an error.
    """
    asked = json.loads(request.read_text(encoding='utf-8'))
    found: Dict[str, Any] = dict(rows=[], error=None)
    try:
        module = import_module(f'mmris.gpu_check.{_MODULES.get(asked["kind"], asked["kind"])}')
        for row in module.measure(**asked['settings']):
            found['rows'].append(row)
            write_json_file(result, found)
    except Exception as error:
        from .errors import describe_error
        found['error'] = describe_error(error)
    write_json_file(result, found)
    return 0 if found['error'] is None else 1


if __name__ == '__main__':
    sys.exit(work(Path(sys.argv[1]), Path(sys.argv[2])))
