"""Which samples come to which process."""

import pytest
from mmengine.dataset import DefaultSampler

from mmris.datasets import EvaluationBatchSampler, sampler


@pytest.mark.parametrize('samples, processes', [(13, 1), (13, 2), (12, 3), (3, 4), (1, 2)])
def test_batches_are_the_same_for_any_number_of_processes(monkeypatch, samples, processes):
    dealt = []
    for rank in range(processes):
        monkeypatch.setattr(sampler, 'get_dist_info', lambda rank=rank: (rank, processes))
        own = EvaluationBatchSampler(DefaultSampler(range(samples), shuffle=False), batch_size=2)
        batches = list(own)
        assert len(batches) == len(own)
        dealt.extend(batches)
    alone = [list(range(start, min(start + 2, samples))) for start in range(0, samples, 2)]
    assert sorted(dealt) == alone
