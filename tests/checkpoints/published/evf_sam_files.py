"""Files in the layouts that EVF-SAM is published in, made from the modules that its code is made of."""

import json
from pathlib import Path
from typing import Dict

import safetensors.torch
import torch
from mmengine.config import Config
from segment_anything import sam_model_registry
from torch import Tensor, nn

from mmris.models.encoders.towers.sam import complete_architecture
from tests.conftest import ROOT
from tests.datasets.test_beit3_tokenizer import write_vocabulary
from tests.parity.sam_references import decoder, image_encoder, randomised
from tests.parity.test_torchscale import torchscale_model_of
from tests.test_configs import shrink_evf_sam

BEIT3_LARGE = dict(
    layers=24, channels=1024, heads=16, feedforward_channels=4096, patch_size=16, image_size=224, vocabulary=64010,
    text_positions=1024)
# What each published model has beside its weights.
SCALES = {'evf-sam': 'huge', 'evf-sam-multitask': 'huge', 'evf-sam2': 'large', 'evf-sam2-multitask': 'large'}


def toy_config(folder: Path) -> Config:
    """The config of evf-sam at toy size, written to a file of that name."""
    config = Config.fromfile(ROOT / 'configs/evf_sam/evf-sam.py')
    size = shrink_evf_sam(config.model)
    for view in config.inputs.views.values():
        view.size = size
    config.dump(str(folder / 'toy.py'))
    return Config.fromfile(folder / 'toy.py')


def released(config: Config) -> Dict[str, Tensor]:
    """Random weights by the names of the published files, of a model as large as a config's."""
    torch.manual_seed(0)
    model, joint = config.model, dict(feedforward_channels=128, vocabulary=64010, text_positions=1024)
    joint.update(model.encoder.joint.architecture)
    tower = complete_architecture(dict(model.encoder.segmenter.architecture))
    channels, width = model.head.channels, joint['channels']
    side = tower['image_size'] // tower['patch_size']
    sam = decoder(channels, (side, side), model.head.num_heads, model.head.feedforward_channels)
    sam['image_encoder'] = image_encoder(tower)
    return named(sam, randomised(torchscale_model_of(joint, normalize_output=True)), randomised(projector(
        width, channels)))


def released_full_size() -> Dict[str, Tensor]:
    """The names and shapes of the published files, without values."""
    with torch.device('meta'):
        sam = sam_model_registry['vit_h']()
        return named(sam, torchscale_model_of(BEIT3_LARGE, normalize_output=True), projector(1024, 256))


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
