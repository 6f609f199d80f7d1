"""EVF-SAM at toy size: its model, and a batch for it."""

from typing import Any, List, Optional

import torch

from mmris.registry import MODELS
from mmris.structures import ExpressionBatch, ImageInputs, ImageView, ReferringDataSample, ReferringInputs

VOCABULARY, SIZE, SEEN = 60, 64, 32
# 8 x 8 patches in windows of 3: padded, as SAM's 64 x 64 in windows of 14 are.
TOWER = dict(
    layers=3, channels=32, heads=2, global_layers=(3, ), patch_size=8, image_size=SIZE, window_size=3, out_channels=32)
# 16, 8, 4 and 2 cells a side, the last two stages in padded windows.
SAM2_TOWER = dict(
    layers=(1, 1, 2, 1), channels=8, heads=1, global_layers=(4, ), window_sizes=(8, 4, 6, 3), position_grid=3,
    out_channels=32)
BEIT3 = dict(
    layers=3,
    channels=40,
    heads=2,
    feedforward_channels=48,
    patch_size=8,
    image_size=SEEN,
    vocabulary=VOCABULARY,
    text_positions=14)
STATISTICS = dict(mean=[127.5] * 3, std=[127.5] * 3)
CONFIG = dict(
    type='ReferringSegmentor',
    data_preprocessor=dict(
        type='ReferringDataPreprocessor', **STATISTICS, zero_border=True, views=dict(joint=STATISTICS)),
    encoder=dict(
        type='EVFSAMEncoder',
        segmenter=dict(type='SAMTower', architecture=TOWER),
        joint=dict(type='BEiT3Encoder', architecture=BEIT3, taps=(1, 2, 3))),
    neck=dict(type='PromptNeck', in_channels=40, channels=32),
    head=dict(type='SAMMaskHead', channels=32, num_heads=2, feedforward_channels=40),
    losses=dict(bce=dict(type='BinaryCrossEntropyLoss', loss_weight=1.0)),
    protocol='evf_sam')
SAM2_CONFIG = dict(
    CONFIG,
    encoder=dict(CONFIG['encoder'], segmenter=dict(type='SAM2Tower', architecture=SAM2_TOWER)),
    head=dict(CONFIG['head'], type='SAM2MaskHead', mask='stable'),
    protocol='evf_sam2')
BRANCHES = dict(
    lmvsd=dict(
        type='MaskedVisualDistillation', mask_ratio=0.25, loss=dict(type='BinaryCrossEntropyLoss', loss_weight=0.75)),
    vmlsd=dict(
        type='MaskedLanguageDistillation', mask_ratio=0.5, loss=dict(type='BinaryCrossEntropyLoss', loss_weight=0.1)))


def build_model(config: dict = CONFIG, **changes: Any) -> torch.nn.Module:
    """With random weights throughout, also where training begins with zeros and ones."""
    torch.manual_seed(0)
    model = MODELS.build({**config, **changes})
    for value in model.parameters():
        value.data += 0.1 * torch.randn_like(value)
    return model


def batch(index: List[int] = [0, 0, 1, 0, 1], lengths: Optional[List[int]] = None) -> ReferringInputs:
    """Images of random pixels, the second of which fills the upper 40 rows, and random words about them."""
    generator = torch.Generator().manual_seed(1)
    count = max(index) + 1
    pixels = torch.randn(count, 3, SIZE, SIZE, generator=generator)
    box = torch.tensor([[0.0, 0.0, SIZE, 40.0 if number == 1 else SIZE] for number in range(count)])
    for image, (_, _, _, bottom) in zip(pixels, box.int().tolist()):
        image[:, bottom:] = 0
    seen = ImageView(
        torch.randn(count, 3, SEEN, SEEN, generator=generator), torch.tensor([[0.0, 0.0, SEEN, SEEN]]).repeat(count, 1))
    lengths = torch.tensor(lengths or [7, 4, 3, 5, 6][:len(index)])
    token_mask = torch.arange(7) < lengths[:, None]
    ids = torch.randint(0, VOCABULARY, token_mask.shape, generator=generator)
    return ReferringInputs(
        images=ImageInputs(pixels, box, views=dict(joint=seen)),
        expressions=ExpressionBatch(ids, token_mask, torch.tensor(index)))


def truths(inputs: ReferringInputs) -> List[ReferringDataSample]:
    """For each image the masks of its sentences: each its left third."""
    samples = []
    for image in range(len(inputs.images.pixels)):
        sample = ReferringDataSample()
        sample.gt_input = torch.zeros(int((inputs.expressions.image_index == image).sum()), SIZE, SIZE)
        sample.gt_input[..., :SIZE // 3] = 1
        samples.append(sample)
    return samples
