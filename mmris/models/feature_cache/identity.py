"""What features depend on beside the pixels: weights, settings, and the numbers that are computed in."""

import hashlib
import json
import sys
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

# Raised when entries, or what is computed of an image, change otherwise than a version of a package says.
FORMAT = 1
# Where weights came from, and what saves memory, changes no feature. Encoders' caches are ours.
_NO_SETTINGS = ('activation_checkpointing', 'grad_checkpointing', 'init_cfg', 'part_caches', 'pretrained', 'training',
                'trust_pretrained')
_PLAIN = (bool, int, float, str, type(None), torch.dtype)


def fingerprint(modules: Sequence[nn.Module]) -> List[tuple]:
    """Look at weights without reading them: whether they may have changed.

    Args:
        modules (Sequence[nn.Module]): The modules.

    Returns:
        list: Another one after weights were replaced, moved, or changed in place, but for changes through
        ``Tensor.data``, as EMAHook makes them.
    """
    return [(tensor.data_ptr(), tensor.dtype, tensor.device, 0 if tensor.is_inference() else tensor._version)
            for _, tensor in _tensors(modules)]


def digest_weights(modules: Sequence[nn.Module]) -> str:
    """Compute the digest of weights: of name, type, shape and bytes of each parameter and buffer.

    Args:
        modules (Sequence[nn.Module]): The modules.

    Returns:
        str: Hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in _tensors(modules):
        digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}\n'.encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def describe_settings(owner: nn.Module, modules: Mapping[str, nn.Module]) -> Dict[str, Any]:
    """Describe what modules compute with their weights: their classes and plain attributes.

    Args:
        owner (nn.Module): The encoder that runs them.
        modules (Mapping[str, nn.Module]): The modules by name.

    Returns:
        dict: Plain values. Versions of the packages that the classes come from are among them.
    """
    described, packages = {'': _settings(owner)}, set()
    for name, top in modules.items():
        for path, module in top.named_modules():
            described[f'{name}.{path}'] = _settings(module)
            packages.add(type(module).__module__.partition('.')[0])
    versions = {name: str(getattr(sys.modules.get(name), '__version__', None)) for name in sorted(packages)}
    return dict(modules=described, versions=dict(versions, torch=torch.__version__))


def describe_numbers(device: torch.device) -> Dict[str, Any]:
    """Describe which numbers are computed in at this moment.

    Args:
        device (torch.device): Where.

    Returns:
        dict: The kind of device, autocast's dtype if in force, and whether float32 may be rounded to TF32.
    """
    autocast = torch.is_autocast_enabled(device.type)
    return dict(
        device=device.type,
        autocast=str(torch.get_autocast_dtype(device.type)) if autocast else None,
        matmul=torch.get_float32_matmul_precision(),
        tf32=torch.backends.cudnn.allow_tf32 if device.type == 'cuda' else None)


def name_store(part: str, facts: Mapping[str, Any]) -> str:
    """Name a store by what its features depend on.

    Args:
        part (str): The part of the encoder that computes them.
        facts (Mapping[str, Any]): All that they depend on: plain values.

    Returns:
        str: The part's name and 32 hexadecimal digits.
    """
    text = json.dumps(dict(facts, format=FORMAT), sort_keys=True)
    return f'{part}-{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}'


def _tensors(modules: Sequence[nn.Module]) -> Iterator[Tuple[str, Tensor]]:
    for number, top in enumerate(modules):
        for path, module in top.named_modules():
            for name, tensor in (*module._parameters.items(), *module._buffers.items()):
                if tensor is not None:
                    yield f'{number}.{path}.{name}', tensor


def _settings(module: nn.Module) -> Dict[str, Any]:
    plain = {name: _plain(value) for name, value in vars(module).items()
             if not name.startswith('_') and name not in _NO_SETTINGS}
    kind = f'{type(module).__module__}.{type(module).__qualname__}'
    return dict({name: value for name, value in plain.items() if value is not None}, type=kind)


def _plain(value: Any) -> Optional[Any]:
    """A setting as a plain value; None of what is none."""
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, (list, tuple, torch.Size)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return getattr(value, '__qualname__', None)
