"""Categories of a set that is written."""

from typing import List

from mmris.datasets.refer_files import ReferFiles
from mmris.utils.ids import id_order


def complete_categories(files: ReferFiles) -> List[dict]:
    """List the categories of a set's annotations: COCO's tools refuse annotations without theirs.

    Args:
        files (ReferFiles): What :func:`prepare_set` returned.

    Returns:
        list[dict]: The set's own categories. One that an annotation has and the set lacks is called ``category <id>``;
        if the set has none at all, the only one is called ``object``.
    """
    named = {one['id']: one for one in files.categories if isinstance(one, dict) and 'id' in one}
    used = {one['category_id'] for one in files.annotations.whole.values()}
    if not named and used <= {1}:
        return [dict(id=1, name='object')]
    lacking = [dict(id=one, name=f'category {one}') for one in sorted(used - named.keys(), key=id_order)]
    return [*named.values(), *lacking]
