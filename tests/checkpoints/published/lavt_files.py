"""Files as LAVT's published training saves them, at toy sizes."""

from argparse import Namespace
from pathlib import Path
from typing import Any, Dict, Tuple

import torch
from mmengine.config import Config
from torch import Tensor

from tests.checkpoints.published import bert_files, swin_stages_files

State = Dict[str, Tensor]
WIDTHS = tuple(swin_stages_files.CHANNELS * 2**stage for stage in range(4))
DECODER, WORDS = 20, bert_files.CHANNELS


def toy_config(words: int = bert_files.LAYERS, channels: int = DECODER) -> Config:
    """A model of ours as large as the weights of :func:`published`.

    Args:
        words (int): Layers of BERT. Default: those of the weights.
        channels (int): Width of the decoder. Default: that of the weights.
    """
    return Config(dict(model=dict(
        type='mmris.ReferringSegmentor',
        data_preprocessor=dict(type='ReferringDataPreprocessor', mean=[0.0] * 3, std=[1.0] * 3),
        encoder=dict(
            type='LAVTEncoder',
            image=dict(type='PaddedSwin', architecture=dict(swin_stages_files.ARCHITECTURE)),
            text=dict(type='BERTTextTower', architecture={**bert_files.ARCHITECTURE, 'layers': words})),
        neck=dict(type='JointSpaceNeck', with_stages=True),
        decoder=dict(type='LAVTDecoder', in_channels=WIDTHS, channels=channels, form='lavt'),
        head=dict(type='ConvolutionHead', channels=channels, two_classes=True, upsample=4, align_corners=True),
        losses=dict(bce=dict(type='BinaryCrossEntropyLoss', class_weights=(0.9, 1.1))))))


def published() -> Tuple[State, State]:
    """Random weights by the keys of the entries ``model`` and ``bert_model``, written out from their modules."""
    shapes: Dict[str, tuple] = {}
    for stage, width in enumerate(WIDTHS):
        fusion, gate = f'backbone.layers.{stage}.fusion', f'backbone.layers.{stage}.res_gate'
        for name, inputs in (('vis_project', width), ('project_mm', width), ('image_lang_att.f_query', width),
                             ('image_lang_att.f_key', WORDS), ('image_lang_att.f_value', WORDS),
                             ('image_lang_att.W', width)):
            shapes.update({f'{fusion}.{name}.0.weight': (width, inputs, 1), f'{fusion}.{name}.0.bias': (width, )})
        shapes.update({f'{gate}.{place}.weight': (width, width) for place in (0, 2)})
        shapes.update({f'backbone.norm{stage}.{one}': (width, ) for one in ('weight', 'bias')})
    deeper = WIDTHS[3]
    for level in (4, 3, 2):
        for place, inputs in ((1, deeper + WIDTHS[level - 2]), (2, DECODER)):
            shapes[f'classifier.conv{place}_{level}.weight'] = (DECODER, inputs, 3, 3)
            for one in ('weight', 'bias', 'running_mean', 'running_var'):
                shapes[f'classifier.bn{place}_{level}.{one}'] = (DECODER, )
        deeper = DECODER
    shapes.update({'classifier.conv1_1.weight': (2, DECODER, 1, 1), 'classifier.conv1_1.bias': (2, )})
    generator = torch.Generator().manual_seed(6)
    state = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    counts = {f'classifier.bn{place}_{level}.num_batches_tracked': torch.tensor(7) for place in (1, 2)
              for level in (4, 3, 2)}
    image = {f'backbone.{name}': value for name, value in swin_stages_files.tower().items()}
    return {**image, **state, **counts}, bert_files.published()


def joined() -> State:
    """The weights as ``lavt_one`` has them in ``model``."""
    model, text = published()
    return {**model, **{f'text_encoder.{name}': value for name, value in text.items()}}


def entries_of(layout: str) -> Dict[str, State]:
    """The entries that hold weights in a layout."""
    return dict(model=joined()) if layout == 'lavt_one' else dict(zip(('model', 'bert_model'), published()))


def save(path: Path, layout: str = 'lavt', **entries: Any) -> Dict[str, State]:
    """Write a file as the published training does, with what it holds beside the weights.

    Args:
        path (Path): The file.
        layout (str): ``'lavt'`` or ``'lavt_one'``. Default: ``'lavt'``.
        **entries: Further ones, or others in place of those that it has.

    Returns:
        dict[str, dict[str, Tensor]]: The entries that hold weights.
    """
    weights = entries_of(layout)
    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(2)).sum().backward()
    optimizer.step()
    beside = dict(
        optimizer=optimizer.state_dict(), epoch=39, args=Namespace(swin_type='base', lr=5e-5, fusion_drop=0.0),
        lr_scheduler=dict(last_epoch=10, _step_count=11))
    torch.save({**weights, **beside, **entries}, path)
    return weights
