"""Which samples come to which process."""

from collections import Counter

import pytest
from mmengine.dataset import DefaultSampler
from mmengine.dataset import sampler as mmengine_sampler
from torch.utils.data import ConcatDataset

from mmris.datasets import EvaluationBatchSampler, ReferringSampler, sampler


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


class TestDraws:
    """As many samples an epoch as wanted, of each set at equal odds."""

    SETS = ConcatDataset([range(10), range(1000), range(300)])
    MEMBERS = (range(10), range(10, 1010), range(1010, 1310))

    def test_odds_are_equal_whatever_the_sizes(self):
        drawn = list(ReferringSampler(self.SETS, seed=0, draws=3000))
        times = Counter(drawn)
        assert len(drawn) == 3000
        for members in self.MEMBERS:
            counts = [times[index] for index in members]
            assert 900 < sum(counts) < 1100
            # None comes again before all have come.
            assert max(counts) - min(counts) <= 1

    def test_of_a_single_set(self):
        drawn = list(ReferringSampler(range(40), seed=0, draws=30))
        assert len(set(drawn)) == 30 and set(drawn) <= set(range(40)) and drawn != sorted(drawn)
        assert set(ReferringSampler(range(4), seed=0, draws=4)) == set(range(4))

    def test_the_order_follows_from_seed_and_epoch(self):
        one, other = (ReferringSampler(self.SETS, seed=3, draws=100) for _ in range(2))
        first = list(one)
        assert first == list(one) == list(other)
        one.set_epoch(1)
        later = list(one)
        assert later != first
        other.set_epoch(1)
        assert list(other) == later
        assert list(ReferringSampler(self.SETS, seed=4, draws=100)) != first

    def test_processes_share_them_out(self, monkeypatch):
        dealt = []
        for rank in range(3):
            monkeypatch.setattr(mmengine_sampler, 'get_dist_info', lambda rank=rank: (rank, 3))
            own = ReferringSampler(range(200), seed=0, draws=100)
            assert len(own) == len(list(own)) == 34
            dealt.extend(own)
        # Rounded up to as many for each, none twice.
        assert len(set(dealt)) == len(dealt) == 102

    def test_bad_values(self):
        with pytest.raises(ValueError, match='draws of ReferringSampler must be at least 1, but got 0'):
            ReferringSampler(range(4), draws=0)
        with pytest.raises(ValueError, match='draws=4 of ReferringSampler are random: set shuffle=True, or leave'):
            ReferringSampler(range(4), shuffle=False, draws=4)
