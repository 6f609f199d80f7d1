"""Registries of the scope `mmris`, children of MMEngine's root registries."""

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

MODELS = Registry('model', scope='mmris', parent=MMENGINE_MODELS, locations=['mmris.models'])
DATASETS = Registry('dataset', scope='mmris', parent=MMENGINE_DATASETS, locations=['mmris.datasets'])
DATA_SAMPLERS = Registry('data sampler', scope='mmris', parent=MMENGINE_DATA_SAMPLERS, locations=['mmris.datasets'])
TRANSFORMS = Registry('transform', scope='mmris', parent=MMENGINE_TRANSFORMS, locations=['mmris.datasets.transforms'])
METRICS = Registry('metric', scope='mmris', parent=MMENGINE_METRICS, locations=['mmris.evaluation'])
HOOKS = Registry('hook', scope='mmris', parent=MMENGINE_HOOKS, locations=['mmris.engine'])
LOOPS = Registry('loop', scope='mmris', parent=MMENGINE_LOOPS, locations=['mmris.engine'])
