"""Files of weights."""

import io
import json
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Callable, Iterator

import safetensors.torch
import torch

from mmris.checkpoints import read_checkpoint
from mmris.checkpoints.files import read_tensors, unwrap_weights
from mmris.checkpoints.published.clip_hugging_face import HUGGING_FACE
from mmris.checkpoints.published.reading import _read_quick_gelu
from mmris.zoo.own import find_copy

from .mutation import mutate_bytes, mutate_json, mutate_safetensors, mutate_zip
from .target import Read, Target, reading_file

_FILES = 'mmris.checkpoints.files'


def _weights() -> dict:
    torch.manual_seed(0)
    weights = OrderedDict((('encoder.weight', torch.randn(3, 2)), ('encoder.bias', torch.zeros(0, 2)),
                           ('encoder.step', torch.tensor(7)), ('half', torch.ones(2, dtype=torch.bfloat16))))
    weights['shared'] = weights['encoder.weight'].t()
    return weights


def _save(content: object, **options: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def _checkpoints() -> Iterator[bytes]:
    weights = _weights()
    yield _save(weights)
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))])
    meta = dict(epoch=3, iter=7, names=['a', ('b', 1.5)])
    yield _save(dict(state_dict=weights, meta=meta, optimizer=optimizer.state_dict(),
                     message_hub=dict(numbers={1: 2.0})))
    yield _save(dict(model=dict(module=weights), ema=dict(weights), epoch=1, best=torch.tensor(0.5)))


def _archives(_: Path) -> Iterator[bytes]:
    yield from _checkpoints()


def _old_files(_: Path) -> Iterator[bytes]:
    weights = _weights()
    yield _save(weights, _use_new_zipfile_serialization=False)
    yield _save(dict(state_dict=weights, meta=dict(epoch=3)), _use_new_zipfile_serialization=False)


def _safetensors(_: Path) -> Iterator[bytes]:
    weights = {key: value.contiguous().clone() for key, value in _weights().items()}
    yield safetensors.torch.save(weights)
    yield safetensors.torch.save(weights, metadata=dict(meta=json.dumps(dict(epoch=3)), format='pt'))
    yield safetensors.torch.save({})


class _Module(torch.nn.Module):

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(2, 3)
        self.register_buffer('table', torch.arange(4))
        self.sizes = [1, 2]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)


def _scripts(folder: Path) -> Iterator[bytes]:
    torch.jit.save(torch.jit.script(_Module()), folder / 'script.pt')
    whole = (folder / 'script.pt').read_bytes()
    yield whole
    # Without the code, of which nothing is read, so that more changes fall on what is.
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive, zipfile.ZipFile(buffer, 'w') as smaller:
        for one in archive.infolist():
            if '/code/' not in one.filename and '.data' not in one.filename:
                smaller.writestr(one.filename, archive.read(one))
    yield buffer.getvalue()


def _read_and_unwrap(path: Path) -> None:
    unwrap_weights(read_checkpoint(path), str(path))


def _read_cast(path: Path) -> None:
    unwrap_weights(read_tensors(path, dtype=torch.float16), str(path))
    read_checkpoint(path, dtype=torch.float16)


def _prepare_index(folder: Path) -> Read:
    for number in (1, 2):
        part = folder / f'model-0000{number}-of-00002.safetensors'
        safetensors.torch.save_file({f'part{number}.weight': torch.ones(2)}, part)
    index = folder / 'model.safetensors.index.json'

    def read(content: bytes) -> None:
        index.write_bytes(content)
        read_checkpoint(folder)

    return read


def _indices(_: Path) -> Iterator[bytes]:
    names = {f'part{number}.weight': f'model-0000{number}-of-00002.safetensors' for number in (1, 2)}
    yield json.dumps(dict(metadata=dict(total_size=16), weight_map=names)).encode()


def _prepare_beside(name: str, read_folder: Callable[[Path], object]) -> Callable[[Path], Read]:

    def prepare(folder: Path) -> Read:
        safetensors.torch.save_file({'text_model.embeddings.token_embedding.weight': torch.ones(4, 2)},
                                    folder / 'model.safetensors')

        def read(content: bytes) -> None:
            (folder / name).write_bytes(content)
            read_folder(folder)

        return read

    return prepare


def _clip_configs(_: Path) -> Iterator[bytes]:
    tower = dict(hidden_act='quick_gelu', hidden_size=8)
    yield json.dumps(dict(model_type='clip', vision_config=tower, text_config=tower)).encode()
    yield json.dumps(dict(model_type='clip_text_model', hidden_act='gelu')).encode()


def _evf_configs(_: Path) -> Iterator[bytes]:
    yield json.dumps(dict(mm_extractor_scale='large', sam_scale='huge', architectures=['EvfSam'])).encode()


TARGETS = [
    Target(name='torch_save', readers=[f'{_FILES}.torch_save', f'{_FILES}.reading', f'{_FILES}.kinds',
                                       f'{_FILES}.unwrapping'],
           prepare=reading_file('a.pth', _read_and_unwrap), seeds=_archives, mutate=mutate_zip),
    Target(name='torch_save_old', readers=[f'{_FILES}.torch_save', f'{_FILES}.reading', f'{_FILES}.kinds'],
           prepare=reading_file('a.pth', _read_and_unwrap), seeds=_old_files, mutate=mutate_bytes),
    Target(name='tensors_only', readers=[f'{_FILES}.tensors_only', f'{_FILES}.zip_archive', f'{_FILES}.casting'],
           prepare=reading_file('a.ckpt', _read_cast), seeds=_archives, mutate=mutate_zip),
    Target(name='torchscript', readers=[f'{_FILES}.torchscript', f'{_FILES}.zip_archive', f'{_FILES}.kinds'],
           prepare=reading_file('a.pt', _read_and_unwrap), seeds=_scripts, mutate=mutate_zip),
    Target(name='safetensors', readers=[f'{_FILES}.safetensors_file', f'{_FILES}.reading', f'{_FILES}.kinds'],
           prepare=reading_file('a.safetensors', _read_and_unwrap), seeds=_safetensors, mutate=mutate_safetensors),
    Target(name='weights_index', readers=[f'{_FILES}.shards'], prepare=_prepare_index, seeds=_indices,
           mutate=mutate_json),
    Target(name='clip_config', readers=['mmris.checkpoints.published.clip_hugging_face'],
           prepare=_prepare_beside('config.json', lambda folder: _read_quick_gelu(
               HUGGING_FACE, str(folder / 'model.safetensors'))),
           seeds=_clip_configs, mutate=mutate_json),
    Target(name='evf_sam_config', readers=['mmris.zoo.own'],
           prepare=_prepare_beside('config.json', lambda folder: find_copy(str(folder))), seeds=_evf_configs,
           mutate=mutate_json),
]
