"""What is computed of a batch, taken apart into entries of single images and put together again."""

from dataclasses import dataclass
from typing import Tuple

import pytest
import torch
from torch import Tensor

from mmris.models.feature_cache.entries import pack, unpack
from mmris.structures import ImageFeatures, TensorStructure

CPU = torch.device('cpu')


def features(rows: int = 3) -> ImageFeatures:
    """As CLIP's ViT gives them: class token, patches and last stage lie in one tensor; a ResNet's map beside them."""
    joint = torch.randn(rows, 1 + 6, 8)
    return ImageFeatures(
        stages=(torch.randn(rows, 4, 2, 3), joint[:, 1:].transpose(1, 2).unflatten(2, (2, 3))),
        patches=joint[:, 1:],
        image_global=joint[:, 0])


def test_values_and_memory_come_back():
    """The same numbers at the same strides, so that what follows adds them up in the same order."""
    value = features()
    found = unpack(pack(value, torch.float32), CPU)
    assert type(found) is ImageFeatures and found.class_stages == ()
    for name, tensor in value.named_tensors().items():
        own = found.named_tensors()[name]
        assert torch.equal(own, tensor) and own.stride() == tensor.stride(), name


def test_shared_memory_is_kept_once():
    value = features()
    entry = pack(value, torch.float32)[0]
    # Numbers of the map, and of one class token and six patches; each of both begins at a multiple of 64 bytes.
    assert entry.content.numel() == 128 + 256
    found = unpack([entry], CPU)
    assert found.patches.untyped_storage().data_ptr() == found.stages[1].untyped_storage().data_ptr()


def test_rows_in_another_order_and_from_other_batches():
    first, second = features(3), features(2)
    entries = [*pack(first, torch.float32), *pack(second, torch.float32), *pack(features(1), torch.float32)]
    found = unpack([entries[4], entries[0], entries[5], entries[4]], CPU)
    assert torch.equal(found.patches[0], second.patches[1]) and torch.equal(found.patches[3], second.patches[1])
    assert torch.equal(found.stages[1][1], first.stages[1][0]) and found.image_global.shape == (4, 8)


@pytest.mark.parametrize('name, tensor', [
    ('rows between one another', torch.randn(5, 3, 2).transpose(0, 1)),
    ('mostly gaps', torch.randn(3, 100)[:, ::50]),
    ('one value repeated', torch.randn(3, 1).expand(3, 7)),
    ('repeated for all', torch.randn(1, 4).expand(3, 4)),
    ('numbers alone', torch.randn(3)),
    ('channels last', torch.randn(3, 4, 2, 2).contiguous(memory_format=torch.channels_last)),
    ('bool', torch.rand(3, 5) < 0.5),
    ('integers', torch.arange(12).view(3, 4)),
    ('nothing', torch.zeros(3, 0, 4)),
])
def test_any_layout(name, tensor):
    found = unpack(pack((tensor, dict(a=tensor, b=None)), torch.float32), CPU)
    assert torch.equal(found[0], tensor) and torch.equal(found[1]['a'], tensor) and found[1]['b'] is None


@pytest.mark.parametrize('dtype, error', [(torch.float16, 2**-11), (torch.bfloat16, 2**-8)])
def test_half_precision_is_close_and_half_as_large(dtype, error):
    value = torch.randn(2, 3, 64)
    entries = pack((value, torch.arange(2)), dtype)
    found, integers = unpack(entries, CPU)
    assert found.dtype == torch.float32 and torch.allclose(found, value, rtol=error, atol=1e-7)
    assert integers.tolist() == [0, 1] and entries[0].content.numel() == 3 * 64 * 2 + 64


def test_numbers_beyond_half_precision_stay_as_they_are():
    """In the image that has them alone; both can stand in one batch."""
    value = torch.randn(2, 10)
    value[1, 3] = 1e6
    entries = pack(value, torch.float16)
    found = unpack(entries, CPU)
    assert torch.equal(found[1], value[1]) and not torch.equal(found[0], value[0])
    assert torch.allclose(found, value, rtol=1e-3)


def test_entries_of_other_strides_are_joined():
    """A backend may lay out a batch of one image otherwise."""
    plain, last = torch.randn(2, 4, 2, 2), torch.randn(2, 4, 2, 2).contiguous(memory_format=torch.channels_last)
    found = unpack([*pack(plain, torch.float32), *pack(last, torch.float32)], CPU)
    assert torch.equal(found, torch.cat((plain, last)))


def test_half_precision_as_computed_is_not_widened():
    value = torch.randn(2, 64).half()
    entries = pack(value, torch.float32)
    assert entries[0].content.numel() == 128 and torch.equal(unpack(entries, CPU), value)


def test_what_cannot_be_kept():
    @dataclass(frozen=True)
    class Odd(TensorStructure):
        maps: Tuple[Tensor, ...]
        odd: object

    with pytest.raises(TypeError, match='keeps tensors, structures of them and plain values, but the tower computed a '
                                        'function. Leave model.feature_cache out'):
        pack(Odd((torch.zeros(1), ), pack), torch.float32)
