"""Files in the layouts that EVF-SAM is published in, made from the modules that its code is made of."""

import json
from pathlib import Path
from typing import Dict

import safetensors.torch
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from segment_anything import sam_model_registry
from torch import Tensor, nn

from mmris.checkpoints.published import EVF_SAM
from mmris.models.encoders.towers.sam import complete_architecture
from mmris.registry import MODELS
from tests.checkpoints.published.sam2_files import left_out
from tests.conftest import ROOT
from tests.datasets.test_beit3_tokenizer import write_vocabulary
from tests.parity.sam_references import decoder, image_encoder, randomised
from tests.parity.test_torchscale import torchscale_model_of
from tests.test_configs import shrink_evf_sam

BEIT3_LARGE = dict(
    layers=24, channels=1024, heads=16, feedforward_channels=4096, patch_size=16, image_size=224, vocabulary=64010,
    text_positions=1024)
EVF_SAM2 = EVF_SAM.layouts[1].key_map
# What each published model has beside its weights.
SCALES = {'evf-sam': 'huge', 'evf-sam-multitask': 'huge', 'evf-sam2': 'large', 'evf-sam2-multitask': 'large'}


def toy_config(folder: Path, name: str = 'evf-sam') -> Config:
    """The config of a published model at toy size, written to a file of its name."""
    config = Config.fromfile(ROOT / f'configs/evf_sam/{name}.py')
    size = shrink_evf_sam(config.model)
    for view in config.inputs.views.values():
        view.size = size
    config.dump(str(folder / f'{name}.py'))
    return Config.fromfile(folder / f'{name}.py')


def released(config: Config) -> Dict[str, Tensor]:
    """Random weights by the names of the published files, in their types of numbers, of a model as large as a config's.

    Those of SAM 1 come from the modules of its code. Those of SAM 2, whose code is no package, come from our model.
    """
    init_default_scope('mmris')
    torch.manual_seed(0)
    if config.model.encoder.segmenter.type == 'SAM2Tower':
        model = randomised(MODELS.build(config.model))
        shapes = {f'visual_model.{key}': torch.randn(shape) for key, shape in left_out().items()}
        state = {**EVF_SAM2.to_theirs(model.state_dict(), 'test'), **shapes}
        return {key: value.half() if half_of_sam2(key) else value for key, value in state.items()}
    model, joint = config.model, dict(feedforward_channels=128, vocabulary=64010, text_positions=1024)
    joint.update(model.encoder.joint.architecture)
    tower = complete_architecture(dict(model.encoder.segmenter.architecture))
    channels, width = model.head.channels, joint['channels']
    side = tower['image_size'] // tower['patch_size']
    sam = decoder(channels, (side, side), model.head.num_heads, model.head.feedforward_channels)
    sam['image_encoder'] = image_encoder(tower)
    state = named(sam, randomised(torchscale_model_of(joint, normalize_output=True)), randomised(projector(
        width, channels)))
    return {key: value.half() for key, value in state.items()}


def half_of_sam2(key: str) -> bool:
    """Whether a weight of the file with SAM 2 is float16: all of SAM 2 but its random directions."""
    return key.startswith('visual_model.') and 'gaussian' not in key


def released_full_size() -> Dict[str, Tensor]:
    """The names and shapes of the file with SAM 1, without values."""
    with torch.device('meta'):
        sam = sam_model_registry['vit_h']()
        return named(sam, torchscale_model_of(BEIT3_LARGE, normalize_output=True), projector(1024, 256))


def released_full_size_sam2() -> Dict[str, Tensor]:
    """The names and shapes of the file with SAM 2, without values: those of our model by their keys, and the rest."""
    init_default_scope('mmris')
    with torch.device('meta'):
        model = MODELS.build(Config.fromfile(ROOT / 'configs/evf_sam/evf-sam2.py').model)
        rest = {f'visual_model.{key}': torch.empty(shape) for key, shape in left_out().items()}
    state = {**EVF_SAM2.to_theirs(model.state_dict(), 'test'), **rest}
    return {key: value.half() if half_of_sam2(key) else value for key, value in state.items()}


def safetensors_bytes(state: Dict[str, Tensor]) -> int:
    """The size of a file of safetensors, as the library writes it."""
    names, header, end = {torch.float16: 'F16', torch.float32: 'F32'}, dict(__metadata__=dict(format='pt')), 0
    for key, value in sorted(state.items(), key=lambda item: (-item[1].element_size(), item[0])):
        begin, end = end, end + value.numel() * value.element_size()
        header[key] = dict(dtype=names[value.dtype], shape=list(value.shape), data_offsets=[begin, end])
    length = len(json.dumps(header, separators=(',', ':')))
    return 8 + (length + 7) // 8 * 8 + end


def projector(width: int, channels: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, channels), nn.Dropout(0.0))


def named(segmenter: nn.Module, beit3: nn.Module, text_hidden: nn.Module) -> Dict[str, Tensor]:
    parts = {'visual_model.': segmenter, 'mm_extractor.beit3.': beit3, 'text_hidden_fcs.0.': text_hidden}
    return {prefix + name: value for prefix, part in parts.items() for name, value in part.state_dict().items()}


def write_folder(folder: Path, state: Dict[str, Tensor], name: str = 'evf-sam', shards: int = 0) -> Path:
    """A folder as the hub gives it, with the weights in one file of torch.save, or in several of safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    config = dict(hidden_size=1024, out_dim=256, mm_extractor_scale='large', sam_scale=SCALES[name])
    (folder / 'config.json').write_text(json.dumps(config))
    write_vocabulary(folder / 'sentencepiece.bpe.model')
    if name.endswith('multitask'):
        (folder / 'added_tokens.json').write_text(json.dumps({'[semantic]': 64002}))
    if not shards:
        torch.save(state, folder / 'pytorch_model.bin')
        return folder
    names = [f'model-{number:05}-of-{shards:05}.safetensors' for number in range(1, shards + 1)]
    weight_map = {key: names[position % shards] for position, key in enumerate(state)}
    for file in names:
        part = {key: state[key].contiguous() for key in state if weight_map[key] == file}
        safetensors.torch.save_file(part, folder / file, metadata=dict(format='pt'))
    (folder / 'model.safetensors.index.json').write_text(json.dumps(dict(metadata={}, weight_map=weight_map)))
    return folder
