"""Mixed precision."""

import logging

import pytest
import torch
from mmengine.logging import MMLogger
from torch import nn

from mmris.engine import BFloat16OptimWrapper
from mmris.utils.precision import check_precision, mixed_precision, processor_has_bfloat16


@pytest.mark.parametrize('capabilities, expected', [
    (dict(avx512_bf16=True, amx_bf16=False, avx2=True), True),
    (dict(avx512_bf16=False, amx_bf16=True), True),
    (dict(avx512_bf16=False, amx_bf16=False, amx_tile=False, avx2=True), False),
    # Nothing is known.
    (dict(), True),
])
def test_processors(capabilities, expected, monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: capabilities, raising=False)
    assert processor_has_bfloat16() is expected
    monkeypatch.setattr(MMLogger, 'get_current_instance', lambda: logging.getLogger('precision'))
    with caplog.at_level(logging.WARNING):
        check_precision('bfloat16')
    warned = 'This processor has no instructions for bfloat16' in caplog.text
    assert warned is not expected


def test_products_are_computed_in_it():
    left, right = torch.rand(4, 4), torch.rand(4, 4)
    with mixed_precision('bfloat16'):
        assert (left @ right).dtype == torch.bfloat16
    with mixed_precision(None):
        assert (left @ right).dtype == torch.float32


def test_training():
    """Forward passes are computed in bfloat16; weights and their gradients stay float32."""
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    before = model.weight.clone()
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 4)
    for step in range(2):
        with wrapper.optim_context(model):
            output = model(torch.ones(2, 4))
            assert output.dtype == torch.bfloat16
        wrapper.update_params(output.float().mean())
        # Gradients of two batches are gathered.
        assert torch.equal(model.weight, before) is (step == 0)
    torch.testing.assert_close(model.weight, before - 0.1)
