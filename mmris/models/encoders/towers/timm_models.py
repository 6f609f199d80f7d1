"""Models of timm, looked at and built as image towers."""

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
        native (tuple[int, int]): Height and width of the images that its weights were trained on.
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
    native: Tuple[int, int]
    stem: str
    layout: str
    with_size: bool
    cell: Tuple[int, int]
    cell_channels: int
    norm: bool
    channels: Tuple[int, ...]
    strides: Tuple[int, ...]
    keys: frozenset


def check_name(name: str) -> None:
    """Check that timm knows a model, without its tag.

    Raises:
        ValueError: If it does not; the message has names that are alike.
    """
    if not isinstance(name, str) or not timm.is_model(name) or name != name.partition('.')[0]:
        begin = str(name).partition('.')[0]
        alike = [begin] if timm.is_model(begin) else timm.list_models(f'{begin[:6]}*')[:5]
        raise ValueError(f'model={name!r} of TimmTower is no model of timm {timm.__version__}. It is a name of '
                         f'timm.list_models(), such as {", ".join(alike) or "vit_base_patch16_224"}; a tag of its '
                         f'weights, such as dino, is set as pretrained.')


def examine(name: str, options: Dict[str, Any], image_size: Optional[Tuple[int, int]]) -> TimmForm:
    """Build a model without memory, and look at it.

    Args:
        name (str): timm's name of it.
        options (dict): Arguments of its own.
        image_size (tuple[int, int], optional): Height and width that it is built for. None: timm's.

    Raises:
        UnfitModelError: If it cannot be an image tower.
    """
    with torch.device('meta'):
        whole = timm.create_model(name, pretrained=False, **options)
    accepted = inspect.signature(type(whole).__init__).parameters
    native = tuple(whole.default_cfg['input_size'][1:])
    complete, fixed = dict(options, num_classes=0), None
    if image_size is not None:
        if 'img_size' not in accepted:
            raise ValueError(f'image_size={image_size} of TimmTower is not needed: {name} of timm takes any size that '
                             f'is a multiple of its last patch. Leave it out.')
        complete['img_size'] = image_size
    if 'dynamic_img_size' in accepted:
        complete['dynamic_img_size'] = True
    elif 'strict_img_size' in accepted:
        complete['strict_img_size'] = False
    elif 'img_size' in accepted:
        fixed = native if image_size is None else image_size
    with torch.device('meta'):
        model = timm.create_model(name, pretrained=False, **complete).eval()
    if not hasattr(model, 'forward_intermediates'):
        raise UnfitModelError(name, 'it gives no features of its stages (forward_intermediates)')
    stem = _find_stem(name, model)
    trial = _Trial(name, model, stem)
    if fixed is None:
        # Unequal sides, to tell maps with channels last from others.
        side = max(entry['reduction'] for entry in model.feature_info)
        rows = -(-native[0] // side) * side
        try:
            output, stages, norm = trial.run((rows, rows + side))
            size = (rows, rows + side)
        except UnfitModelError:
            # It has something of one size, of which its arguments do not tell.
            fixed = native
    if fixed is not None:
        size = fixed
        output, stages, norm = trial.run(size)
    cells = output[0] if isinstance(output, tuple) else output
    try:
        layout, cell = find_layout(cells, size)
    except ValueError as error:
        raise UnfitModelError(name, str(error)) from error
    return TimmForm(
        options=complete, size=fixed, native=native, stem=stem, layout=layout, with_size=isinstance(output, tuple),
        cell=cell, cell_channels=cells.size(1 if layout == MAP else -1), norm=norm,
        channels=tuple(stage.size(1) for stage in stages), strides=_strides(name, stages, size, cell),
        keys=frozenset(whole.state_dict()))


class _Trial(NamedTuple):
    """A model without memory, and what it does."""

    name: str
    model: nn.Module
    stem: str

    def run(self, size: Tuple[int, int]) -> Tuple[Any, List[Tensor], bool]:
        """Give the output of the stem, those of all stages, and whether norms are applied to these."""
        with torch.no_grad():
            try:
                output = self.model.get_submodule(self.stem)(_blank(size))
                try:
                    return output, self._stages(size, True), True
                except AssertionError:
                    return output, self._stages(size, False), False
            except Exception as error:
                # Of whatever kind: it is a stranger's code.
                raise UnfitModelError(self.name, f'it cannot be run without memory ({error})') from error

    def _stages(self, size: Tuple[int, int], norm: bool) -> List[Tensor]:
        return self.model.forward_intermediates(_blank(size), norm=norm, intermediates_only=True)


def _strides(name: str, stages: Sequence[Tensor], size: Tuple[int, int], cell: Tuple[int, int]) -> Tuple[int, ...]:
    strides = tuple(size[0] // stage.size(2) for stage in stages)
    for stride, stage in zip(strides, stages):
        if any(pixels != stride * patches for pixels, patches in zip(size, stage.shape[2:])):
            raise UnfitModelError(name, f'a stage of {stage.size(2)} x {stage.size(3)} patches does not divide '
                                        f'{size[0]} x {size[1]} pixels')
    if any(strides[-1] % side for side in cell):
        raise UnfitModelError(name, f'a patch of {strides[-1]} pixels has no whole number of cells of {cell[0]}')
    return strides


def _blank(size: Tuple[int, int]) -> Tensor:
    return torch.zeros(2, 3, *size, device='meta')


def _find_stem(name: str, model: nn.Module) -> str:
    """The first module on the way to the first convolution that holds no stage and no list of modules."""
    first = model.default_cfg.get('first_conv')
    first = first[0] if isinstance(first, (tuple, list)) and first else first
    if not first:
        raise UnfitModelError(name, 'timm does not say where its first convolution is')
    stages = [entry['module'] for entry in model.feature_info]
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


def build(name: str, form: TimmForm, taps: Sequence[int]) -> nn.Module:
    """Build a model as far as its last tap, with its stem split off.

    What the taps do not depend on, such as a token for classification behind the last block, is frozen.

    Args:
        name (str): timm's name of it.
        form (TimmForm): What :func:`examine` found.
        taps (Sequence[int]): Stages that are wanted, counted from 1.
    """
    model = _build_pruned(name, form, taps)
    for key in _find_idle(name, form, taps):
        model.get_parameter(key).requires_grad_(False)
    owner, _, own = form.stem.rpartition('.')
    model.get_submodule(owner).register_module(
        own, SplitStem(model.get_submodule(form.stem), layout=form.layout, with_size=form.with_size))
    return model


def _build_pruned(name: str, form: TimmForm, taps: Sequence[int]) -> nn.Module:
    model = timm.create_model(name, pretrained=False, **form.options)
    model.prune_intermediate_layers([tap - 1 for tap in taps], prune_norm=False, prune_head=True)
    return model


def _find_idle(name: str, form: TimmForm, taps: Sequence[int]) -> List[str]:
    """Names of parameters that the taps do not depend on."""
    with torch.device('meta'):
        model = _build_pruned(name, form, taps).eval()
        stages = model.forward_intermediates(
            _blank(form.size or form.native), indices=[tap - 1 for tap in taps], norm=form.norm, intermediates_only=True)
        sum(stage.sum() for stage in stages).backward()
    return [key for key, parameter in model.named_parameters() if parameter.grad is None]


def blocks_of(model: nn.Module) -> List[nn.Module]:
    """The blocks of all stages: those that a stage lists, or the stage itself."""
    blocks = []
    for entry in model.feature_info:
        stage = model.get_submodule(entry['module'])
        listed = stage if isinstance(stage, nn.Sequential) else getattr(stage, 'blocks', None)
        blocks.extend(listed if isinstance(listed, (nn.Sequential, nn.ModuleList)) else [stage])
    return blocks
