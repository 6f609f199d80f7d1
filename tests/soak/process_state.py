"""What processes hold, as Linux says."""

import os
from pathlib import Path
from typing import Dict, List

_PAGE = os.sysconf('SC_PAGE_SIZE')


def children_of(process: int) -> List[int]:
    """Processes that a process started, and theirs."""
    found: List[int] = []
    for path in Path(f'/proc/{process}/task').glob('*/children'):
        try:
            direct = [int(one) for one in path.read_text().split()]
        except OSError:
            # The thread has ended.
            continue
        for one in direct:
            found += [one, *children_of(one)]
    return found


def resident_memory(process: int) -> float:
    """In MiB, with what is shared; 0 if the process has ended."""
    try:
        return int(Path(f'/proc/{process}/statm').read_text().split()[1]) * _PAGE / 2**20
    except OSError:
        return 0.


def processor_seconds(process: int) -> float:
    """What a process has used of the processor, in seconds."""
    # After the name, which may hold anything.
    fields = Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def hold(process: int) -> Dict[str, float]:
    """Memory in MiB, open file descriptors and threads of a process."""
    return dict(
        memory=resident_memory(process),
        descriptors=len(os.listdir(f'/proc/{process}/fd')),
        threads=len(os.listdir(f'/proc/{process}/task')))
