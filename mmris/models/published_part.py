"""Modules that are filled by a part of a published model's weights."""

from typing import Optional, Tuple

from mmengine.model import BaseModule

from mmris.checkpoints import load_published, read_published
from mmris.checkpoints.published import SAM, PublishedModel


class PublishedPart(BaseModule):
    """A stage of a model, or a tower of one, that is a part of a published model.

    Attributes:
        published (PublishedModel): The published model. Default: SAM.
        published_as (str): Prefix of the module's weights among ours of the published model.

    Args:
        pretrained (str, optional): A file or an address of the published model's weights, a folder, or the work folder
            of a training here, which :meth:`init_weights` loads. None: from scratch.
        trust_pretrained (bool): Also read a file that holds more than tensors, by running what it says.
        init_cfg (dict, optional): MMEngine initialisation.
    """

    published: PublishedModel = SAM
    published_as: str

    def __init__(self, *, pretrained: Optional[str], trust_pretrained: bool, init_cfg: Optional[dict]) -> None:
        super().__init__(init_cfg=init_cfg)
        self.pretrained = pretrained
        self.trust_pretrained = trust_pretrained

    @property
    def pretrained_parts(self) -> Tuple[str, ...]:
        """tuple[str]: If ``pretrained`` is set, the submodules, parameters and buffers that it fills."""
        if self.pretrained is None:
            return ()
        known = [key for key in self.state_dict() if self.published.has(self.published_as + key)]
        return tuple(dict.fromkeys(key.partition('.')[0] for key in known))

    def load_pretrained(self) -> None:
        """Load ``pretrained``, if set.

        Raises:
            FileNotFoundError: If there is no such file; the message says where published ones are named.
            ValueError: If it cannot be read, or has keys that are not the published model's.
            RuntimeError: If it holds another architecture.
        """
        if self.pretrained is None:
            return
        weights = read_published(
            self.published, self.pretrained, trust=self.trust_pretrained,
            trust_option=f'trust_pretrained=True of {type(self).__name__}')
        load_published(self, self.published, weights, part=self.published_as)

    def init_weights(self) -> None:
        """Initialise, then :meth:`load_pretrained`, whose errors it raises."""
        super().init_weights()
        self.load_pretrained()
