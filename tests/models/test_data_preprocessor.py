"""From collated samples to a batch."""

import numpy as np
import pytest
import torch

from mmris.models import ReferringDataPreprocessor
from mmris.structures import ReferringDataSample

MEAN, STD = (10.0, 20.0, 30.0), (2.0, 4.0, 8.0)


def sample_of(height: int = 4, width: int = 6, **fields: torch.Tensor) -> ReferringDataSample:
    sample = ReferringDataSample(metainfo=dict(image_box=(0.0, 0.0, width, height)))
    sample.token_ids = torch.zeros(1, 3, dtype=torch.int64)
    sample.token_mask = torch.ones(1, 3, dtype=torch.bool)
    for name, value in fields.items():
        setattr(sample, name, value)
    return sample


def preprocess(images: list, samples: list) -> dict:
    return ReferringDataPreprocessor(mean=MEAN, std=STD)(dict(inputs=images, data_samples=samples))


def test_masks_become_shares_and_those_of_the_caller_stay():
    stored = torch.arange(256, dtype=torch.uint8).view(1, 16, 16)
    sample = sample_of(16, 16, gt_input=stored)
    batch = preprocess([torch.zeros(3, 16, 16, dtype=torch.uint8)], [sample])
    found = batch['data_samples'][0].gt_input
    assert found.dtype == torch.float32 and found.max() == 1
    assert np.array_equal(found.numpy(), np.arange(256, dtype=np.float32).reshape(1, 16, 16) / 255)
    assert sample.gt_input is stored


def test_masks_that_are_shares_already_stay():
    shares = torch.tensor([[[0.0, 0.5, 1.0]]])
    batch = preprocess([torch.zeros(3, 1, 3, dtype=torch.uint8)], [sample_of(1, 3, gt_input=shares)])
    assert torch.equal(batch['data_samples'][0].gt_input, shares)


def test_sentences_of_different_lengths():
    """Shorter ones end in padding, which the mask leaves out."""
    long = sample_of(token_ids=torch.tensor([[5, 6, 7, 8, 9], [5, 8, 9, 1, 1]]),
                     token_mask=torch.tensor([[True] * 5, [True] * 3 + [False] * 2]))
    short = sample_of(token_ids=torch.tensor([[5, 6, 9]]), token_mask=torch.ones(1, 3, dtype=torch.bool))
    images = [torch.zeros(3, 4, 6, dtype=torch.uint8)] * 3
    found = preprocess(images, [short, long, short])['inputs'].expressions
    assert found.token_ids.tolist() == [[5, 6, 9, 0, 0], [5, 6, 7, 8, 9], [5, 8, 9, 1, 1], [5, 6, 9, 0, 0]]
    assert found.token_mask.dtype == torch.bool and found.token_mask.sum(dim=1).tolist() == [3, 5, 3, 3]
    assert found.token_mask[0].tolist() == [True] * 3 + [False] * 2
    assert found.image_index.tolist() == [0, 1, 1, 2]


def test_samples_without_masks():
    batch = preprocess([torch.zeros(3, 4, 6, dtype=torch.uint8)], [sample_of()])
    assert 'gt_input' not in batch['data_samples'][0]


def test_images_whose_channels_come_last_in_memory():
    """The batch has the layout of any other: models compute the same bits on it."""
    stored = torch.randint(0, 256, (2, 4, 6, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    pixels = preprocess([image.permute(2, 0, 1) for image in stored],
                        [sample_of(), sample_of()])['inputs'].images.pixels
    expected = (stored.float() - torch.tensor(MEAN)) / torch.tensor(STD)
    assert pixels.is_contiguous() and torch.equal(pixels, expected.permute(0, 3, 1, 2))


def test_a_border_of_zeros():
    """After normalisation, whatever colour it had; what is asked of one view is not done to another."""
    images = [torch.full((3, 4, 6), 90, dtype=torch.uint8)] * 2
    boxes = [(0, 0, 6, 2), (1, 0, 4, 4)]
    statistics = dict(mean=MEAN, std=STD)
    near = dict(statistics, zero_border=True)
    found = ReferringDataPreprocessor(**statistics, views=dict(near=near)).batch_images(
        images, boxes, views=dict(near=(images, boxes)))
    assert (found.pixels == found.pixels[:1, :, :1, :1]).all() and found.pixels[0, 0, 0, 0] == 40
    pixels = found.view('near').pixels
    assert (pixels[0, :, :2] != 0).all() and (pixels[0, :, 2:] == 0).all()
    assert (pixels[1, :, :, 1:4] != 0).all() and (pixels[1, :, :, 0] == 0).all() and (pixels[1, :, :, 4:] == 0).all()
    main = ReferringDataPreprocessor(**statistics, zero_border=True).batch_images(images, boxes)
    assert torch.equal(main.pixels, pixels)


@pytest.mark.parametrize('view', [dict(mean=MEAN), dict(mean=MEAN, std=STD, border=0)])
def test_statistics_that_are_none(view):
    with pytest.raises(ValueError, match=r'views.near must have mean and std, and may have zero_border, but has mean'):
        ReferringDataPreprocessor(mean=MEAN, std=STD, views=dict(near=view))


def test_digests_reach_their_views():
    """Beside the pixels of each view, in the order of the images; without, there are none."""
    preprocessor = ReferringDataPreprocessor(mean=MEAN, std=STD, views=dict(small=dict(mean=MEAN, std=STD)))
    images = [torch.zeros(3, 4, 6, dtype=torch.uint8)] * 2
    samples = [sample_of(), sample_of()]
    for number, sample in enumerate(samples):
        sample.set_metainfo(dict(
            view_boxes=dict(small=(0.0, 0.0, 6.0, 4.0)),
            pixel_digests=dict(main=bytes([number]), small=bytes([10 + number]))))
    data = dict(inputs=images, data_samples=samples, views=dict(small=images))
    found = preprocessor(data)['inputs'].images
    assert found.digests.values == (b'\0', b'\1') and found.views['small'].digests.values == (b'\n', b'\x0b')
    moved = found.to(torch.device('cpu')).select(torch.tensor([1, 1]))
    assert moved.digests.values == (b'\1', b'\1') and moved.views['small'].digests.values == (b'\x0b', b'\x0b')
    assert found.concatenate([found, moved]).digests.values == (b'\0', b'\1', b'\1', b'\1')
    del samples[1].pixel_digests
    assert preprocessor(data)['inputs'].images.digests is None
