"""Whether the patches that a branch selects are the target's, against counting them one by one."""

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from mmris.models.distillation import measure_target_share, target_patches
from mmris.registry import MODELS
from mmris.structures import BranchOutput, TargetShare, TensorStructure
from tests.conftest import tiny_config
from tests.models.test_distillation import make_inputs

PATCH, GRID = 4, (6, 5)
EVERYWHERE = torch.ones(1, *GRID, dtype=torch.bool)


def rectangle(top: int, left: int, height: int, width: int) -> Tensor:
    target = torch.zeros(1, 1, PATCH * GRID[0], PATCH * GRID[1])
    target[:, :, top:top + height, left:left + width] = 1
    return target


def places(mask: Tensor) -> set:
    """Rows and columns of the marked patches of the only expression."""
    return {tuple(place) for place in mask[0].nonzero().tolist()}


def count_slowly(selected: Tensor, candidates: Tensor, target: Tensor) -> tuple:
    """Share and chance of one expression, patch by patch; the share is None without a target."""
    height, width = candidates.shape
    side = target.shape[0] // height
    covered = {}
    for row in range(height):
        for column in range(width):
            if candidates[row, column]:
                pixels = [float(target[side * row + y, side * column + x]) for y in range(side) for x in range(side)]
                covered[row, column] = sum(pixels) / len(pixels)
    most = max(covered.values())
    of_target = [place for place, share in covered.items() if share > 0 and (share >= 0.5 or share == most < 0.5)]
    chance = sum(bool(selected[place]) for place in covered) / len(covered)
    if not of_target:
        return None, chance
    return sum(bool(selected[place]) for place in of_target) / len(of_target), chance


class TestTargetPatches:

    def test_half_a_patch_counts_and_less_does_not(self):
        assert places(target_patches(rectangle(4, 4, 4, 6), EVERYWHERE)) == {(1, 1), (1, 2)}
        assert places(target_patches(rectangle(4, 4, 4, 5), EVERYWHERE)) == {(1, 1)}

    def test_of_a_small_target_the_patch_that_it_covers_most(self):
        assert places(target_patches(rectangle(9, 13, 1, 1), EVERYWHERE)) == {(2, 3)}
        assert places(target_patches(rectangle(7, 4, 2, 2), EVERYWHERE)) == {(1, 1), (2, 1)}, 'both cover it alike'
        assert places(target_patches(rectangle(6, 4, 3, 2), EVERYWHERE)) == {(1, 1)}

    def test_no_patch_of_an_empty_target(self):
        assert not target_patches(rectangle(0, 0, 0, 0), EVERYWHERE).any()

    def test_only_candidates(self):
        candidates = EVERYWHERE.clone()
        candidates[:, 1, 1] = False
        assert places(target_patches(rectangle(4, 4, 4, 5), candidates)) == {(1, 2)}


class TestMeasureTargetShare:

    def test_against_counting_one_by_one(self):
        generator = torch.Generator().manual_seed(0)
        shape = (40, *GRID)
        candidates = torch.rand(shape, generator=generator) < 0.8
        selected = candidates & (torch.rand(shape, generator=generator) < 0.4)
        targets = []
        for _ in range(shape[0]):
            place = [int(torch.randint(0, most, (), generator=generator)) for most in (20, 16, 12, 12)]
            soft = 1 - 0.5 * torch.rand(1, 1, PATCH * GRID[0], PATCH * GRID[1], generator=generator)
            targets.append(soft * rectangle(*place))
        target = torch.cat(targets)
        found = measure_target_share(selected, candidates, target)
        shares = []
        for one in range(shape[0]):
            share, chance = count_slowly(selected[one], candidates[one], target[one, 0])
            assert found.chance[one].item() == pytest.approx(chance)
            if share is None:
                assert found.target_share[one].isnan()
            else:
                assert found.target_share[one].item() == pytest.approx(share)
                shares.append((share, chance))
        assert 25 < len(shares) < shape[0], 'some have no target'
        mean = found.mean()
        assert mean.target_share.item() == pytest.approx(sum(share for share, _ in shares) / len(shares))
        assert mean.chance.item() == pytest.approx(sum(chance for _, chance in shares) / len(shares))

    def test_no_expression_has_a_target(self):
        """What is logged stays finite: a loss that is not stops a training."""
        selected = EVERYWHERE.clone()
        selected[:, :3] = False
        mean = measure_target_share(selected, EVERYWHERE, rectangle(0, 0, 0, 0)).mean()
        assert mean.target_share == mean.chance == 0.5

    def test_no_candidates(self):
        found = measure_target_share(~EVERYWHERE, ~EVERYWHERE, rectangle(4, 4, 4, 4))
        assert found.target_share.isnan().all() and found.chance.tolist() == [0]


class TestBranch:

    @pytest.mark.parametrize('name', ['vit-tiny_shaperef.py', 'beit3-tiny_shaperef.py'])
    def test_measures_what_its_filter_selects(self, name):
        torch.manual_seed(0)
        model, inputs = MODELS.build(tiny_config(f'cm_masksd/{name}').model), make_inputs()
        main = model.main_pass(inputs)
        count = len(main.image_index)
        target = torch.zeros(count, 1, 64, 64)
        for one in range(count):
            target[one, :, 16 + one:30 + 2 * one, 20:33 + one] = 1
        branch = model.distillation['lmvsd']
        output = branch(main, model.encoder, model.stages, target)
        selected, shares = branch.select(main), []
        for one, image in enumerate(inputs.expressions.image_index.tolist()):
            inside = main.image_embeddings.inside[image]
            shares.append(count_slowly(selected[one], inside, target[one, 0]))
        measured = output.measured
        assert measured.target_share.item() == pytest.approx(sum(share for share, _ in shares) / count)
        assert measured.chance.item() == pytest.approx(sum(chance for _, chance in shares) / count)
        assert measured.chance.item() == pytest.approx(0.5)
        assert not measured.target_share.requires_grad and not measured.chance.requires_grad

    @pytest.mark.parametrize('name', ['lmvsd', 'vmlsd'])
    def test_measuring_changes_no_bit_of_the_loss(self, tiny_model, name):
        main = tiny_model.main_pass(make_inputs())
        losses, states = [], []
        for target in (None, torch.rand(8, 1, 64, 64)):
            torch.manual_seed(3)
            output = tiny_model.distillation[name](main, tiny_model.encoder, tiny_model.stages, target)
            losses.append(output.loss)
            states.append(torch.get_rng_state())
            assert (output.measured is None) == (target is None or name == 'vmlsd')
        assert torch.equal(*losses) and torch.equal(*states)


class TestNames:

    def test_of_what_is_measured(self):
        share, chance = torch.tensor(0.25), torch.tensor(0.5)
        output = BranchOutput(torch.tensor(1.0), TargetShare(share, chance))
        assert output.measured_by_name('visual') == dict(target_share_visual=share, chance_visual=chance)
        assert BranchOutput(torch.tensor(1.0)).measured_by_name('visual') == {}

    def test_that_would_be_optimised(self):
        """MMEngine sums all whose names contain it."""

        @dataclass(frozen=True)
        class Measured(TensorStructure):
            gloss: Tensor

        one = torch.tensor(1.0)
        with pytest.raises(ValueError, match="as 'target_share_my_loss'.*Rename the distillation branch 'my_loss'"):
            BranchOutput(one, TargetShare(one, one)).measured_by_name('my_loss')
        with pytest.raises(ValueError, match="logged as 'gloss_visual', but MMEngine optimises the sum of all values"):
            BranchOutput(one, Measured(one)).measured_by_name('visual')


def test_the_documented_count_of_an_evaluation(tiny_model):
    """Of each expression, in evaluation; over all of them it is the mean of what was not NaN."""
    tiny_model.eval()
    with torch.no_grad():
        main = tiny_model.main_pass(make_inputs())
        selected = tiny_model.distillation['lmvsd'].select(main)
        share = measure_target_share(selected, main.inside, torch.rand(8, 1, 64, 64).round())
    assert share.target_share.shape == share.chance.shape == (8, )
    assert math.isclose(share.target_share.nanmean(), share.mean().target_share, rel_tol=1e-6)
