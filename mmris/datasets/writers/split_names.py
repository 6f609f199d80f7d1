"""Names of files of splits, whatever the splits are called."""

import re
from typing import Callable, Dict

from mmris.datasets.refer_files import ReferFiles
from mmris.datasets.splits import list_splits


def name_splits(files: ReferFiles, file_name: Callable[[str], str]) -> Dict[str, str]:
    """Name the splits by letters, digits and underscores: Hugging Face takes no others, and paths lead nowhere else.

    Args:
        files (ReferFiles): The set.
        file_name (Callable): Gets such a name and returns that of the split's file, for the message.

    Returns:
        dict[str, str]: The name of each split that has refs.

    Raises:
        ValueError: If two splits would have files of one name.
    """
    there = {ref['split'] for ref in files.refs}
    names: Dict[str, str] = {}
    for split in [one for one in list_splits(there) if one in there]:
        name = re.sub(r'\W', '_', split) or '_'
        # Some file systems do not tell capitals from small letters.
        twin = next((one for one, other in names.items() if other.lower() == name.lower()), None)
        if twin is not None:
            raise ValueError(f'{files.refs_path}: the splits {twin!r} and {split!r} would both be written to '
                             f'{file_name(name)}. Rename one of them.')
        names[split] = name
    return names
