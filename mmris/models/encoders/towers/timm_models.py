"""Models of timm by their names, built as far as they are needed."""

from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import timm
import torch
from torch import nn

from .timm_form import TimmForm, blank
from .timm_stem import SplitStem

# Arguments of `timm.create_model` that the tower sets, or that read files.
_TAKEN = ('pretrained', 'pretrained_cfg', 'pretrained_cfg_overlay', 'checkpoint_path', 'cache_dir', 'features_only',
          'in_chans', 'num_classes', 'global_pool', 'img_size', 'dynamic_img_size', 'strict_img_size', 'scriptable',
          'exportable', 'no_jit')


def check_options(options: Dict[str, Any]) -> None:
    """Check arguments of a model's own.

    Raises:
        ValueError: If they are no dict, or hold one that the tower sets.
    """
    if not isinstance(options, dict):
        raise ValueError(f'options of TimmTower must be a dict, such as dict(drop_path_rate=0.1), but got {options!r}.')
    taken = [name for name in options if name in _TAKEN]
    if taken:
        raise ValueError(f'options of TimmTower has {", ".join(taken)}, which TimmTower sets itself. It takes '
                         f'image_size and pretrained; options are arguments of the model\'s own, such as '
                         f'dict(drop_path_rate=0.1).')


def complete_size(image_size: Optional[Union[int, Tuple[int, int]]]) -> Optional[Tuple[int, int]]:
    """Height and width that a model is to be built for.

    Raises:
        ValueError: If they are neither a positive whole number nor two.
    """
    if image_size is None:
        return None
    sides = tuple(image_size) if isinstance(image_size, (list, tuple)) else (image_size, image_size)
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise ValueError(f'image_size of TimmTower must be a number of pixels, or height and width, such as 384 or '
                         f'(384, 512), but got {image_size!r}.')
    return sides


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
    SplitStem(
        model.get_submodule(form.stem), layout=form.layout, with_size=form.with_size).put_into(model, form.stem)
    return model


def _build_pruned(name: str, form: TimmForm, taps: Sequence[int]) -> nn.Module:
    model = timm.create_model(name, pretrained=False, **form.options)
    model.prune_intermediate_layers([tap - 1 for tap in taps], prune_norm=False, prune_head=True)
    return model


def _find_idle(name: str, form: TimmForm, taps: Sequence[int]) -> List[str]:
    """Names of parameters that the taps do not depend on."""
    # Also where a model is built for inference alone.
    with torch.inference_mode(False), torch.enable_grad(), torch.device('meta'):
        model = _build_pruned(name, form, taps).eval()
        tapped = [tap - 1 for tap in taps]
        stages = model.forward_intermediates(
            blank(form.tried), indices=tapped, norm=form.norm, intermediates_only=True)
        sum(stage.sum() for stage in stages).backward()
    return [key for key, parameter in model.named_parameters() if parameter.grad is None]


def blocks_of(model: nn.Module) -> List[nn.Module]:
    """The blocks of all stages: those that a stage lists, or the stage itself; none where it is a single layer.

    A layer alone, such as an activation, keeps nothing that would be computed again, and may write into its input.
    """
    modules, blocks = dict(model.named_modules()), []
    for entry in model.feature_info:
        # Some models name stages that are no modules of theirs.
        stage = modules.get(entry['module'], nn.Identity())
        listed = stage if isinstance(stage, nn.Sequential) else getattr(stage, 'blocks', None)
        parts = list(listed) if isinstance(listed, (nn.Sequential, nn.ModuleList)) else []
        blocks.extend(parts if parts and not any(_is_layer(part) for part in parts) else [stage])
    return [block for block in blocks if not _is_layer(block)]


def _is_layer(module: nn.Module) -> bool:
    return next(module.children(), None) is None
