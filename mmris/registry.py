"""Registries of the scope `mmris`, children of MMEngine's root registries."""

from mmengine import registry as root
from mmengine.registry import Registry

MODELS = Registry('model', parent=root.MODELS, scope='mmris', locations=['mmris.models'])
MODEL_WRAPPERS = Registry('model wrapper', parent=root.MODEL_WRAPPERS, scope='mmris', locations=['mmris.models'])
WEIGHT_INITIALIZERS = Registry(
    'weight initializer', parent=root.WEIGHT_INITIALIZERS, scope='mmris', locations=['mmris.models'])

DATASETS = Registry('dataset', parent=root.DATASETS, scope='mmris', locations=['mmris.datasets'])
DATA_SAMPLERS = Registry('data sampler', parent=root.DATA_SAMPLERS, scope='mmris', locations=['mmris.datasets'])
TRANSFORMS = Registry('transform', parent=root.TRANSFORMS, scope='mmris', locations=['mmris.datasets'])

METRICS = Registry('metric', parent=root.METRICS, scope='mmris', locations=['mmris.evaluation'])
EVALUATORS = Registry('evaluator', parent=root.EVALUATOR, scope='mmris', locations=['mmris.evaluation'])

HOOKS = Registry('hook', parent=root.HOOKS, scope='mmris', locations=['mmris.engine'])
LOOPS = Registry('loop', parent=root.LOOPS, scope='mmris', locations=['mmris.engine'])
RUNNERS = Registry('runner', parent=root.RUNNERS, scope='mmris', locations=['mmris.engine'])
RUNNER_CONSTRUCTORS = Registry(
    'runner constructor', parent=root.RUNNER_CONSTRUCTORS, scope='mmris', locations=['mmris.engine'])
LOG_PROCESSORS = Registry('log processor', parent=root.LOG_PROCESSORS, scope='mmris', locations=['mmris.engine'])
OPTIMIZERS = Registry('optimizer', parent=root.OPTIMIZERS, scope='mmris', locations=['mmris.engine'])
OPTIM_WRAPPERS = Registry('optim wrapper', parent=root.OPTIM_WRAPPERS, scope='mmris', locations=['mmris.engine'])
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optim wrapper constructor', parent=root.OPTIM_WRAPPER_CONSTRUCTORS, scope='mmris', locations=['mmris.engine'])
PARAM_SCHEDULERS = Registry(
    'parameter scheduler', parent=root.PARAM_SCHEDULERS, scope='mmris', locations=['mmris.engine'])

INFERENCERS = Registry('inferencer', parent=root.INFERENCERS, scope='mmris', locations=['mmris.apis'])

VISUALIZERS = Registry('visualizer', parent=root.VISUALIZERS, scope='mmris', locations=['mmris.visualization'])
VISBACKENDS = Registry(
    'visualizer backend',
    parent=root.VISBACKENDS,
    scope='mmris',
    locations=['mmris.visualization.local_backend', 'mmris.visualization.wandb_backend'])
