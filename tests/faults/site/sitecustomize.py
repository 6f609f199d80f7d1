"""Imported by Python when it starts, where tests put this folder on its path: the fault of MMRIS_FAULT is made ready."""

import json
import os

if os.environ.get('MMRIS_FAULT'):
    from tests.faults import injector

    injector.install(json.loads(os.environ['MMRIS_FAULT']))
