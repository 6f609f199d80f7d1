"""Pickles of strangers, as annotations."""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Iterator

import numpy as np

from mmris.datasets.plain_pickle import load_plain_pickle

from .mutation import mutate_pickle
from .target import Target, reading_file

_REFS = [
    dict(ref_id=1, ann_id=5, image_id=7, split='val', category_id=1, file_name='a.jpg', sent_ids=[0, 1],
         sentences=[dict(sent_id=0, sent='the red one', raw='The réd one', tokens=['the', 'red', 'one'])]),
    OrderedDict(ref_id=np.int64(2), ann_id=[np.int32(5), 6], image_id=(7, ), split='train', sentences={1, 2})
]
# What Python 2 writes: strings of bytes, one of which is not UTF-8, and a number of NumPy.
_PYTHON_2 = (b"(dp0\nS'a'\np1\nS'\\xe9'\np2\nsS'n'\ncnumpy.core.multiarray\nscalar\np3\n(cnumpy\ndtype\np4\n(S'f8'\n"
             b"I0\nI1\ntRp5\n(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbS'\\x00\\x00\\x00\\x00\\x00\\x00\\xf8\\x7f'\ntRs.")


def _seeds(_: Path) -> Iterator[bytes]:
    for protocol in range(6):
        yield pickle.dumps(_REFS, protocol=protocol)
        yield pickle.dumps([frozenset([1.5]), b'bytes', None, 2**70, -3, ('x', True)], protocol)
    yield _PYTHON_2


TARGETS = [
    Target(name='plain_pickle', readers=['mmris.datasets.plain_pickle', 'mmris.datasets.pickled_numbers'],
           prepare=reading_file('refs.p', load_plain_pickle), seeds=_seeds, mutate=mutate_pickle)
]
