"""Toy CLIPs, and files of them in the layouts and formats that others publish."""

import copy
import os
import warnings
import zipfile
from pathlib import Path
from typing import Callable, Dict, Union

import open_clip
import torch
from open_clip.model import CLIP, CustomTextCLIP, convert_weights_to_fp16
from torch import Tensor, nn

TEXT = dict(context_length=8, vocab_size=50, width=64, heads=1, layers=2)
VIT = dict(embed_dim=24, vision_cfg=dict(image_size=16, patch_size=4, width=64, layers=3, head_width=64), text_cfg=TEXT)
RESNET = dict(embed_dim=24, vision_cfg=dict(image_size=64, layers=[1, 2, 1, 1], width=8), text_cfg=TEXT)
# Sentences end with the highest id.
TOKENS = torch.tensor([[48, 5, 7, 49, 0, 0, 0, 0], [48, 9, 49, 0, 0, 0, 0, 0]])


def randomise(model: nn.Module) -> nn.Module:
    """Give all parameters and statistics values of their own, large enough that what is swapped shows."""
    generator = torch.Generator().manual_seed(0)
    for key, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(0.3 * torch.randn(tensor.shape, generator=generator))
        if key.endswith('running_var'):
            tensor.abs_().add_(0.5)
    return model.eval()


def open_clip_model(architecture: dict = VIT, *, custom: bool = False, quick_gelu: bool = False) -> nn.Module:
    """A model of open_clip, of its default or its custom class."""
    model = (CustomTextCLIP if custom else CLIP)(**copy.deepcopy(architecture), quick_gelu=quick_gelu)
    return randomise(model)


def towers(state: Dict[str, Tensor], part: str) -> Dict[str, Tensor]:
    """The keys of open_clip's custom class under a part, without it."""
    return {key.removeprefix(f'{part}.'): value for key, value in state.items() if key.startswith(f'{part}.')}


def expected_towers(model: nn.Module) -> tuple:
    """Weights of both towers of a model of open_clip, by open_clip's own conversion."""
    state = model.state_dict()
    if isinstance(model, CLIP):
        state = open_clip.model.convert_to_custom_text_state_dict(state)
    return towers(state, 'visual'), towers(state, 'text')


class OpenAICLIP(nn.Module):
    """A model whose attributes are called as OpenAI's."""

    def __init__(self, architecture: dict) -> None:
        super().__init__()
        model = CLIP(**copy.deepcopy(architecture), quick_gelu=True, cast_dtype=torch.float16)
        for name in ('visual', 'transformer', 'token_embedding', 'ln_final', 'positional_embedding', 'text_projection',
                     'logit_scale'):
            setattr(self, name, getattr(model, name))
        size = architecture['vision_cfg']['image_size']
        for name, value in dict(input_resolution=size, context_length=8, vocab_size=50).items():
            self.register_buffer(name, torch.tensor(value))
        # Not part of OpenAI's archives.
        self.mask = model.attn_mask

    def forward(self, image: Tensor, tokens: Tensor) -> tuple:
        words = self.token_embedding(tokens).half() + self.positional_embedding.half()
        words = self.ln_final(self.transformer(words, attn_mask=self.mask))
        return self.visual(image.half()), words @ self.text_projection * self.logit_scale.exp()


def write_openai(path: Path, architecture: dict = VIT) -> Dict[str, Tensor]:
    """Write a TorchScript archive as OpenAI's, mostly of half precision; its state by TorchScript's own reader."""
    model = randomise(OpenAICLIP(architecture))
    convert_weights_to_fp16(model)
    model.text_projection = nn.Parameter(model.text_projection.half())
    return write_traced(model, path, architecture['vision_cfg']['image_size'])


def write_traced(model: nn.Module, path: Path, size: int = 16) -> Dict[str, Tensor]:
    """Write a TorchScript archive; its state by TorchScript's own reader."""
    with warnings.catch_warnings():
        # Traces hold for one size alone.
        warnings.simplefilter('ignore', torch.jit.TracerWarning)
        traced = torch.jit.trace(model, (torch.rand(1, 3, size, size), TOKENS), check_trace=False)
    torch.jit.save(traced, str(path))
    return torch.jit.load(str(path)).state_dict()


def rewrite_archive(path: Path, out: Path, **records: Union[bytes, Callable[[bytes], bytes]]) -> Path:
    """Copy a zip archive with other content of records, told by name with ``_`` for what is no letter."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, 'w') as target:
        for name in source.namelist():
            content = source.read(name)
            change = records.get(name.partition('/')[2].replace('.', '_').replace('/', '_'), content)
            target.writestr(name, change(content) if callable(change) else change)
    return out


class Malicious:
    """What makes a folder where it is unpickled without restriction."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.marker), )


def assert_same(given: Dict[str, Tensor], expected: Dict[str, Tensor]) -> None:
    """The same keys, types of numbers and bits."""
    assert sorted(given) == sorted(expected)
    for key, value in expected.items():
        assert given[key].dtype == value.dtype, key
        assert torch.equal(given[key], value), key
