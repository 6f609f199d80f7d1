"""What a model of timm is as an image tower, found by building it without memory."""

import inspect
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import timm
import torch
from torch import Tensor, nn

from .timm_stem import MAP, SplitStem, find_layout


class UnfitModelError(ValueError):
    """A model of timm that cannot be an image tower, with the reason."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f'{name} of timm cannot be an image tower: {reason}.')


class TimmForm(NamedTuple):
    """What is known of a model once it has been built without memory.

    Attributes:
        options (dict): Arguments of ``timm.create_model``.
        size (tuple[int, int], optional): The only height and width, in pixels, that it takes. None: any.
        tried (tuple[int, int]): Height and width of images that it takes.
        stem (str): Dotted name of the stem.
        layout (str): How the stem lays out cells.
        with_size (bool): Whether the stem returns their height and width too.
        cell (tuple[int, int]): Height and width of a cell, in pixels.
        cell_channels (int): Width of a cell.
        norm (bool): Whether norms of its own can be applied to stages.
        channels (tuple[int]): Width of each stage.
        strides (tuple[int]): Pixels of the side of a patch of each stage.
        keys (frozenset[str]): Names of the weights of the whole model, classifier included.
    """

    options: Dict[str, Any]
    size: Optional[Tuple[int, int]]
    tried: Tuple[int, int]
    stem: str
    layout: str
    with_size: bool
    cell: Tuple[int, int]
    cell_channels: int
    norm: bool
    channels: Tuple[int, ...]
    strides: Tuple[int, ...]
    keys: frozenset


def examine(name: str, options: Dict[str, Any], image_size: Optional[Tuple[int, int]]) -> TimmForm:
    """Build a model without memory, and look at it.

    Args:
        name (str): timm's name of it.
        options (dict): Arguments of its own.
        image_size (tuple[int, int], optional): Height and width that it is built for. None: timm's.

    Raises:
        UnfitModelError: If it cannot be an image tower.
        ValueError: If it does not take the options, or takes any size and is given one.
    """
    try:
        with torch.device('meta'):
            whole = timm.create_model(name, pretrained=False, **options)
    except Exception as error:
        # Of whatever kind: timm asserts some, and fails on others in its own ways.
        raise ValueError(f'{name} of timm does not take options={options} of TimmTower ({error}).') from error
    native = image_size or tuple(whole.default_cfg['input_size'][1:])
    complete = _complete(name, whole, options, image_size)
    with torch.device('meta'):
        model = timm.create_model(name, pretrained=False, **complete).eval()
    if not hasattr(model, 'forward_intermediates'):
        raise UnfitModelError(name, 'it gives no features of its stages (forward_intermediates)')
    trial = _Trial(name, model, _find_stem(name, model))
    # It takes any size, or has something of one, such as a table of positions.
    size, output, stages, norm = trial.first((_uneven(model, native), native))
    cells = output[0] if isinstance(output, tuple) else output
    try:
        layout, cell = find_layout(cells, size)
    except ValueError as error:
        raise UnfitModelError(name, str(error)) from error
    strides = _strides(name, stages, size, cell)
    trial.split(size, SplitStem(
        model.get_submodule(trial.stem), layout=layout, with_size=isinstance(output, tuple)), cell, norm)
    return TimmForm(
        options=complete, size=size if size == native else None, tried=size, stem=trial.stem, layout=layout,
        with_size=isinstance(output, tuple), cell=cell, cell_channels=cells.size(1 if layout == MAP else -1),
        norm=norm, channels=tuple(stage.size(1) for stage in stages), strides=strides,
        keys=frozenset(whole.state_dict()))


def _complete(name: str, whole: nn.Module, options: Dict[str, Any],
              image_size: Optional[Tuple[int, int]]) -> Dict[str, Any]:
    """All arguments for a model."""
    accepted = inspect.signature(type(whole).__init__).parameters
    complete = dict(options, num_classes=0)
    if image_size is not None:
        if 'img_size' not in accepted:
            raise ValueError(f'image_size={image_size} of TimmTower is not needed: {name} of timm takes any size that '
                             f'is a multiple of its last patch. Leave it out.')
        complete['img_size'] = image_size
    # Where timm can resize positions, it shall.
    if 'dynamic_img_size' in accepted:
        complete['dynamic_img_size'] = True
    elif 'strict_img_size' in accepted:
        complete['strict_img_size'] = False
    return complete


def _uneven(model: nn.Module, native: Tuple[int, int]) -> Tuple[int, int]:
    """A size of unequal sides, to tell maps with channels last from others."""
    side = max(entry['reduction'] for entry in model.feature_info)
    rows = -(-native[0] // side) * side
    return rows, rows + side


class _Trial(NamedTuple):
    """A model without memory, and what it does."""

    name: str
    model: nn.Module
    stem: str

    def first(self, sizes: Sequence[Tuple[int, int]]) -> Tuple[Tuple[int, int], Any, List[Tensor], bool]:
        """Give the first size that it takes, and what :meth:`run` does."""
        for size in sizes[:-1]:
            try:
                return (size, *self.run(size))
            except UnfitModelError:
                # It has something of one size, of which its arguments do not tell.
                continue
        return (sizes[-1], *self.run(sizes[-1]))

    def run(self, size: Tuple[int, int]) -> Tuple[Any, List[Tensor], bool]:
        """Give the output of the stem, those of all stages, and whether norms are applied to these."""
        with torch.no_grad():
            try:
                output = self.model.get_submodule(self.stem)(blank(size))
                try:
                    return output, self._stages(size, True), True
                except AssertionError:
                    return output, self._stages(size, False), False
            except Exception as error:
                # Of whatever kind: it is a stranger's code.
                raise UnfitModelError(self.name, f'it cannot be run without memory ({error})') from error

    def split(self, size: Tuple[int, int], stem: SplitStem, cell: Tuple[int, int], norm: bool) -> None:
        """Put a split stem into the model, and check that the rest of it runs on cells."""
        stem.put_into(self.model, self.stem)
        with torch.no_grad():
            cells = stem.read(blank(size), (size[0] // cell[0], size[1] // cell[1]))
            try:
                self.model.forward_intermediates(cells, norm=norm, intermediates_only=True)
            except Exception as error:
                raise UnfitModelError(
                    self.name, f'it cannot be run on the cells of its stem {self.stem} ({error})') from error

    def _stages(self, size: Tuple[int, int], norm: bool) -> List[Tensor]:
        return self.model.forward_intermediates(blank(size), norm=norm, intermediates_only=True)


def _strides(name: str, stages: Sequence[Tensor], size: Tuple[int, int], cell: Tuple[int, int]) -> Tuple[int, ...]:
    strides = tuple(size[0] // stage.size(2) for stage in stages)
    for stride, stage in zip(strides, stages):
        if any(pixels != stride * patches for pixels, patches in zip(size, stage.shape[2:])):
            raise UnfitModelError(name, f'a stage of {stage.size(2)} x {stage.size(3)} patches does not divide '
                                        f'{size[0]} x {size[1]} pixels')
    if any(strides[-1] % side for side in cell):
        raise UnfitModelError(name, f'a patch of {strides[-1]} pixels has no whole number of cells of {cell[0]}')
    return strides


def blank(size: Tuple[int, int]) -> Tensor:
    """Two images without content."""
    return torch.zeros(2, 3, *size, device='meta')


def _find_stem(name: str, model: nn.Module) -> str:
    """The first module on the way to the first convolution that holds no stage and no list of modules."""
    first = model.default_cfg.get('first_conv')
    first = first[0] if isinstance(first, (tuple, list)) and first else first
    if not first:
        raise UnfitModelError(name, 'timm does not say where its first convolution is')
    path, stages = '', [f'{entry["module"]}.' for entry in model.feature_info]
    for part in first.split('.'):
        path = f'{path}.{part}'.lstrip('.')
        if not any(stage.startswith(f'{path}.') for stage in stages) and not isinstance(
                model.get_submodule(path), nn.ModuleList):
            break
    held = [key for key, _ in model.get_submodule(path).named_parameters() if 'pos' in key]
    if held:
        raise UnfitModelError(name, f'its stem {path} adds positions ({held[0]}), which masked cells would lose')
    return path
