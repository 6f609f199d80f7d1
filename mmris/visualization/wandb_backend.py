"""Weights & Biases."""

from mmengine.config import Config
from mmengine.visualization import WandbVisBackend

from mmris.registry import VISBACKENDS


@VISBACKENDS.register_module()
class LeanWandbVisBackend(WandbVisBackend):
    """MMEngine's ``WandbVisBackend`` (which see for all arguments), without the copy that it uploads of every Python
    file below the current folder, virtual environments included."""

    def add_config(self, config: Config, **kwargs) -> None:
        """Record the config."""
        self.experiment.config.update(config.to_dict(), allow_val_change=True)
