"""Batches that come from data workers in one piece."""

import pickle
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from mmris.datasets.batches import Batch, collate_batch
from mmris.structures import ReferringDataSample


def make_sample(number: int) -> dict:
    """A sample with tensors of several types, empty, of no dimension and not contiguous; each its own."""
    generator = torch.Generator().manual_seed(number)
    sample = ReferringDataSample(
        metainfo=dict(img_id=number, text=[f'sentence {number}', 'ünï'], affine=np.arange(6.0).reshape(2, 3)))
    sample.gt_original = torch.rand(2, 3 + number, 5, generator=generator) > 0.5
    sample.token_ids = torch.randint(9, (2, 7), generator=generator)
    sample.probabilities = torch.rand(4, 6, generator=generator).t()
    sample.scale = torch.tensor(number, dtype=torch.float64)
    return dict(
        inputs=torch.randint(255, (3, 5, 7 + number), generator=generator).to(torch.uint8),
        data_samples=sample,
        views=dict(other=torch.empty(0, 4)))


def assert_same_batch(found: dict, wanted: dict) -> None:
    assert isinstance(found, dict) and list(found) == list(wanted)
    for one, other in zip(found['inputs'], wanted['inputs']):
        assert one.dtype == other.dtype and torch.equal(one, other)
    assert [view.shape for view in found['views']['other']] == [view.shape for view in wanted['views']['other']]
    for one, other in zip(found['data_samples'], wanted['data_samples']):
        assert type(one) is ReferringDataSample
        assert one.text == other.text and one.img_id == other.img_id and np.array_equal(one.affine, other.affine)
        for name in ('gt_original', 'token_ids', 'probabilities', 'scale'):
            left, right = getattr(one, name), getattr(other, name)
            assert left.dtype == right.dtype and torch.equal(left, right), name


@pytest.mark.parametrize('workers', [0, 2])
def test_arrives_as_it_was(workers):
    samples = [make_sample(number) for number in range(4)]
    loader = DataLoader(samples, batch_size=2, num_workers=workers, collate_fn=collate_batch)
    for number, batch in enumerate(loader):
        assert_same_batch(batch, collate_batch([make_sample(2 * number), make_sample(2 * number + 1)]))


def test_is_sent_as_one_tensor(monkeypatch):
    sent = []
    handles = dict(ForkingPickler._extra_reducers)
    reduce_tensor = handles[torch.Tensor]

    def count(tensor):
        sent.append(tensor)
        return reduce_tensor(tensor)

    monkeypatch.setitem(ForkingPickler._extra_reducers, torch.Tensor, count)
    ForkingPickler.dumps(collate_batch([make_sample(number) for number in range(4)]))
    assert len(sent) == 1 and sent[0].dtype == torch.uint8


def test_tensors_of_a_batch_can_be_changed_apart():
    sample = make_sample(0)
    batch = pickle.loads(pickle.dumps(collate_batch([sample, sample])))
    batch['inputs'][0].zero_()
    assert torch.equal(batch['inputs'][1], sample['inputs'])


@pytest.mark.parametrize('arrived', [True, False])
def test_is_pinned_in_one_piece(arrived, monkeypatch):
    pinned = []

    def pin_memory(tensor):
        pinned.append(tensor)
        return tensor.clone()

    monkeypatch.setattr(torch.Tensor, 'pin_memory', pin_memory)
    batch = collate_batch([make_sample(0), make_sample(1)])
    if arrived:
        batch = pickle.loads(pickle.dumps(batch))
    found = batch.pin_memory()
    assert isinstance(found, Batch) and len(pinned) == 1
    assert_same_batch(found, collate_batch([make_sample(0), make_sample(1)]))
    storage = found['inputs'][0].untyped_storage().data_ptr()
    assert found['data_samples'][1].gt_original.untyped_storage().data_ptr() == storage
    assert storage != pinned[0].untyped_storage().data_ptr()
