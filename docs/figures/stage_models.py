"""What a config builds: names and sizes of its stages, and the shapes of what passes between them."""

from pathlib import Path
from typing import Iterable

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from stage_drawing import Box
from torch import Tensor, nn

from mmris.datasets.pipelines import resolve_pipelines
from mmris.registry import MODELS
from mmris.utils.input_sizes import read_input_sizes
from mmris.utils.pretrained import forget_pretrained

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


class Built:
    """The model of a config on the meta device, and what one image and one sentence become in it.

    Args:
        name (str): The config, below ``configs/``.
        instances (int): Instance masks of the image. Default: 0.

    Attributes:
        config (Config): The config's ``model``.
        model (nn.Module): The model. It has shapes alone.
        sizes (InputSizes): The image and the sentence.
        encoded (EncoderOutput): What the encoder makes of them.
        fused (FusedFeatures): What the neck makes of it.
        decoded (FusedFeatures): What the decoder makes of that.
        logits (Tensor): ``(1, 1, h, w)``.
    """

    def __init__(self, name: str, instances: int = 0) -> None:
        self.name = name
        config = Config.fromfile(CONFIGS / name)
        init_default_scope(config.get('default_scope', 'mmris'))
        resolve_pipelines(config)
        self.config = config.model
        self.sizes = read_input_sizes(config, instances=instances)
        forget_pretrained(config.model)
        with torch.device('meta'), torch.no_grad():
            self.model = MODELS.build(config.model).eval()
            encoder = self.model.encoder
            expressions = self.sizes.expressions(1)
            image = encoder.encode_image(encoder.embed_image(self.sizes.image(encoder)))
            text = encoder.encode_text(encoder.embed_text(expressions))
            self.encoded = encoder.join(image, text, expressions.image_index)
            self.fused = self.model.neck(self.encoded)
            self.decoded = self.model.decoder(self.fused)
            self.logits = self.model.head(self.decoded)

    def box(self, part: str, row: int, columns: tuple, kind: str, title: str, *lines: str, dashed: bool = False) -> Box:
        """The box of a part of the model, with its type, its parameters and whether it is frozen.

        Args:
            part (str): Its dotted name. Of a list of modules of one type, the box says how many there are.
            row, columns, kind, title, dashed: As of :class:`Box`.
            lines (str): Lines below the type.
        """
        module = self.model.get_submodule(part)
        parameters = list(module.parameters())
        frozen = bool(parameters) and not any(parameter.requires_grad for parameter in parameters)
        named = _type_of(module) + (', frozen' if frozen else '')
        return Box(row, columns, kind, title, (named, *lines), note=count(parameters), frozen=frozen, dashed=dashed)


def _type_of(module: nn.Module) -> str:
    if not isinstance(module, (nn.ModuleDict, nn.ModuleList)):
        return type(module).__name__
    members = list(module.children())
    first, = {type(member).__name__ for member in members}
    return f'{len(members)} × {first}'


def count(parameters: Iterable[Tensor]) -> str:
    """How many numbers are in parameters, ``'24.1M'``; nothing where there are none."""
    number = sum(parameter.numel() for parameter in parameters)
    if number < 50000:
        return f'{number:,}' if number else ''
    return f'{number / 1e6:.1f}M'


def shape(tensor: Tensor) -> str:
    """The shape of a row of a tensor: ``'512 × 26 × 26'``."""
    return ' × '.join(map(str, tensor.shape[1:]))
