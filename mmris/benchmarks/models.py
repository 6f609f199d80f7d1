"""Models and inputs that benchmarks are made on."""

import argparse
from typing import List, NamedTuple, Optional, Sequence

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmris.registry import MODELS
from mmris.structures import ReferringInputs
from mmris.utils.configs import read_config
from mmris.utils.input_sizes import InputSizes, read_input_sizes
from mmris.utils.pretrained import forget_pretrained
from mmris.utils.steps import Batch, build_random_model, load_batch
from mmris.utils.training_complexity import count_training

#: The full sizes, and what stands for them in a brief run.
FULL = dict(cm_masksd='cm_masksd/vit-b_refcoco.py', cris='cris/rn101_refcoco.py')
BRIEF = dict(cm_masksd='cm_masksd/vit-small_shaperef.py', cris='cris/rn-tiny_shaperef.py')
#: The model that comes with mmris: its config, and its name.
SHIPPED, SHIPPED_WEIGHTS = 'cm_masksd/vit-small_shaperef.py', 'cm-masksd-shaperef'


class Measured(NamedTuple):
    """A config, its model with random weights, and the sizes of its inputs."""

    config: Config
    model: nn.Module
    sizes: InputSizes

    def inputs(self, sentences: int) -> ReferringInputs:
        """Make an image and sentences about it."""
        return ReferringInputs(self.sizes.image(self.model.encoder), self.sizes.expressions(sentences))

    def training_batch(self, images: int, sentences: int) -> Batch:
        """Load a made-up batch of images with so many sentences about each."""
        loader = Config(dict(loader=self.config.train_dataloader.to_dict())).loader
        loader.dataset.update(group_by='image', expressions_per_image=sentences)
        return load_batch(loader, images)


def read_benchmark_config(name: str, options: Sequence[str] = ()) -> Config:
    """Read a config as commands do, without the weights that it names."""
    config = read_config(
        argparse.Namespace(
            config=f'mmris::{name}', data_root=None, refs_file=None, image_folder=None, cfg_options=options or None))
    forget_pretrained(config.model)
    return config


def prepare(name: str, options: Sequence[str] = ()) -> Measured:
    """Build a config's model with random weights.

    Args:
        name (str): The config.
        options (Sequence[str]): Changes of it, as of ``--cfg-options``. Default: none.
    """
    init_default_scope('mmris')
    config = read_benchmark_config(name, options)
    torch.manual_seed(0)
    return Measured(config, build_random_model(config), read_input_sizes(config))


def count_step(config: Config, images: int, sentences: int, *, without: Optional[List[str]] = None) -> int:
    """Count the multiply-adds of a training step.

    Args:
        config (Config): The config.
        images (int): Images of a batch.
        sentences (int): Sentences about each.
        without (list[str], optional): Entries of the model's config that are left out. Default: None.
    """
    settings = {name: value for name, value in config.model.to_dict().items() if name not in (without or ())}
    with torch.device('meta'):
        model = MODELS.build(settings)
        return count_training(model, images=images, sentences=sentences, **vars(read_input_sizes(config)))['total']
