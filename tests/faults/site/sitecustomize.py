"""Makes the fault of MMRIS_FAULT ready. Python imports it when it starts, where this folder is on its path."""

import json
import os

if os.environ.get('MMRIS_FAULT'):
    from tests.faults import injector

    injector.install(json.loads(os.environ['MMRIS_FAULT']))
