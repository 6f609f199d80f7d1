"""Files in the layouts that ViLT is published in."""

import sys
import zipfile
from argparse import Namespace
from collections import OrderedDict
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Dict

import torch
from torch import Tensor, nn

from tests.checkpoints.published.toy_joint import (
    CHANNELS,
    FEEDFORWARD,
    LAYERS,
    PATCH_SIZE,
    PATCHES,
    POSITIONS,
    VOCABULARY,
    with_bias,
)

_CLASSIFIER = {'0': (2 * CHANNELS, CHANNELS), '1': (2 * CHANNELS, ), '3': (7, 2 * CHANNELS)}
_PRETRAINING = {
    'pooler.dense': (CHANNELS, CHANNELS),
    'mlm_score.transform.dense': (CHANNELS, CHANNELS),
    'mlm_score.transform.LayerNorm': (CHANNELS, ),
    'itm_score.fc': (2, CHANNELS),
}
# Heads of the published files, by the code that made them.
HEADS = {
    'mlm_itm': _PRETRAINING,
    'vqa': {
        'pooler.dense': (CHANNELS, CHANNELS),
        **{f'vqa_classifier.{name}': shape for name, shape in _CLASSIFIER.items()}
    },
    'nlvr2': {
        'pooler.dense': (CHANNELS, CHANNELS),
        **{f'nlvr2_classifier.{name}': shape for name, shape in _CLASSIFIER.items()}
    },
    'irtr': {
        **_PRETRAINING, 'rank_output': (1, CHANNELS)
    },
    'mpp': {
        **_PRETRAINING, 'mpp_score.transform.dense': (CHANNELS, CHANNELS),
        'mpp_score.decoder': (256 * 3, CHANNELS)
    },
    'gqa': {
        'pooler.dense': (CHANNELS, CHANNELS),
        **{f'gqa_classifier.{name}': shape for name, shape in _CLASSIFIER.items()}
    },
}
# Those that transformers has a model for.
HUGGING_FACE_TASKS = ('mlm_itm', 'vqa', 'nlvr2', 'irtr')


def published(task: str = 'mlm_itm') -> Dict[str, Tensor]:
    """Random weights as ViLT's own code names and shapes them, written out from its modules."""
    shapes = {
        'text_embeddings.word_embeddings.weight': (VOCABULARY, CHANNELS),
        'text_embeddings.position_embeddings.weight': (POSITIONS, CHANNELS),
        'text_embeddings.token_type_embeddings.weight': (2, CHANNELS),
        **with_bias('text_embeddings.LayerNorm', (CHANNELS, )),
        'token_type_embeddings.weight': (3 if task == 'nlvr2' else 2, CHANNELS),
        'transformer.cls_token': (1, 1, CHANNELS),
        'transformer.pos_embed': (1, 1 + PATCHES, CHANNELS),
        'transformer.patch_embed.proj.weight': (CHANNELS, 3, PATCH_SIZE, PATCH_SIZE),
        'transformer.patch_embed.proj.bias': (CHANNELS, ),
        **with_bias('transformer.norm', (CHANNELS, )),
    }
    for layer in range(LAYERS):
        for part, shape in (('norm1', (CHANNELS, )), ('attn.qkv', (3 * CHANNELS, CHANNELS)),
                            ('attn.proj', (CHANNELS, CHANNELS)), ('norm2', (CHANNELS, )),
                            ('mlp.fc1', (FEEDFORWARD, CHANNELS)), ('mlp.fc2', (CHANNELS, FEEDFORWARD))):
            shapes.update(with_bias(f'transformer.blocks.{layer}.{part}', shape))
    for name, shape in HEADS[task].items():
        shapes.update(with_bias(name, shape))
    if task == 'mpp':
        shapes['transformer.mask_token'] = (1, 1, CHANNELS)
    if 'mlm_score.transform.dense.weight' in shapes:
        shapes.update({'mlm_score.decoder.weight': (VOCABULARY, CHANNELS), 'mlm_score.bias': (VOCABULARY, )})
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return {**weights, 'text_embeddings.position_ids': torch.arange(POSITIONS).expand(1, -1)}


def hugging_face(weights: Dict[str, Tensor], prefix: str = 'vilt.') -> Dict[str, Tensor]:
    """ViLT's weights by the keys of transformers' models, as its own conversion names them."""
    names = (
        ('text_embeddings.', 'embeddings.text_embeddings.'),
        ('token_type_embeddings.', 'embeddings.token_type_embeddings.'),
        ('transformer.cls_token', 'embeddings.cls_token'),
        ('transformer.pos_embed', 'embeddings.position_embeddings'),
        ('transformer.patch_embed.proj.', 'embeddings.patch_embeddings.projection.'),
        ('transformer.norm.', 'layernorm.'),
        ('pooler.', 'pooler.'),
    )
    inner = (('.norm1.', '.layernorm_before.'), ('.attn.proj.', '.attention.output.dense.'),
             ('.norm2.', '.layernorm_after.'), ('.mlp.fc1.', '.intermediate.dense.'), ('.mlp.fc2.', '.output.dense.'))
    found = {}
    for key, value in weights.items():
        if key.startswith('transformer.blocks.'):
            key = f'{prefix}encoder.layer.{key.removeprefix("transformer.blocks.")}'
            for theirs, other in inner:
                key = key.replace(theirs, other)
            if '.attn.qkv.' in key:
                for name, part in zip(('query', 'key', 'value'), value.chunk(3)):
                    found[key.replace('.attn.qkv.', f'.attention.attention.{name}.')] = part.clone()
                continue
        else:
            match = next((pair for pair in names if key.startswith(pair[0])), None)
            key = key.replace('nlvr2_classifier', 'classifier').replace('vqa_classifier', 'classifier')
            key = prefix + key.replace(*match, 1) if match else key
        # transformers leaves these out.
        if not key.startswith(('itm_score.', f'{prefix}embeddings.text_embeddings.position_ids')):
            found[key] = value
    return found


@contextmanager
def vanishing_module():
    """A module that is there to write a file, and no more to read it."""
    module = ModuleType('vanished_framework')
    for name, bases in (('ModelCheckpoint', ()), ('AttributeDict', (dict, )), ('ReadOnlyList', (list, )),
                        ('Labels', (set, ))):
        setattr(module, name, type(name, bases, dict(__module__=module.__name__)))
    # Made again by a method of a class, which a pickle asks for and then calls.
    made = dict(__module__=module.__name__, __reduce__=lambda self: (module.AttributeDict.fromkeys, (('a', ), )))
    module.Made = type('Made', (), made)
    sys.modules[module.__name__] = module
    try:
        yield module
    finally:
        del sys.modules[module.__name__]


def write_lightning(path: Path, weights: Dict[str, Tensor], **entries: object) -> Path:
    """A checkpoint as PyTorch Lightning's: weights among objects of packages that are not there to read it."""
    with vanishing_module() as framework:
        state = OrderedDict(weights)
        # What modules note beside their weights, and what optimisers hold.
        state._metadata = OrderedDict({'': dict(version=1)})
        parameter = nn.Parameter(weights['transformer.cls_token'].clone())
        state['transformer.cls_token'] = parameter
        settings = framework.AttributeDict(config=framework.AttributeDict(exp_name='mlm_itm', lr=1e-4))
        settings['losses'] = framework.ReadOnlyList([1, 2])
        settings['names'] = framework.Labels({'a', 'b'})
        settings['made'] = framework.Made()
        monitor = framework.ModelCheckpoint()
        monitor.best = settings
        moments = {0: dict(step=3, exp_avg=torch.zeros(1000), exp_avg_sq=torch.zeros(1000, dtype=torch.complex64))}
        torch.save({
            'epoch': 9,
            'pytorch-lightning_version': '1.1.4',
            'state_dict': state,
            'callbacks': {framework.ModelCheckpoint: dict(best_model_score=torch.tensor(0.5), monitor=monitor)},
            'optimizer_states': [dict(state=moments, param_groups=[dict(lr=1e-4, params=[parameter])])],
            'hyper_parameters': settings,
            'arguments': Namespace(seed=0, folder=Path('data')),
            **entries
        }, path)
    return path


def as_torch_1_7(path: Path, out: Path) -> Path:
    """The same archive with nothing in it that torch 1.7 did not write, its tensors on a GPU."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, 'w') as target:
        for name in source.namelist():
            record, content = name.partition('/')[2], source.read(name)
            if record == 'data.pkl':
                content = content.replace(b'X\x03\x00\x00\x00cpu', b'X\x06\x00\x00\x00cuda:0')
            if record in ('data.pkl', 'version') or record.startswith('data/'):
                target.writestr(f'archive/{record}', content)
    return out
