"""Correlation filter and the two branches of masked self-distillation."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from mmris.models.distillation import CorrelationFilter, MaskedVisualDistillation, RandomFilter
from mmris.models.distillation.correlation_filter import highest
from mmris.registry import MODELS
from mmris.structures import ExpressionBatch, ImageInputs, ReferringInputs
from tests.conftest import tiny_config


def make_inputs(images: int = 2, expressions: int = 4, border: float = 16.0) -> ReferringInputs:
    """Random images in a letterbox, and sentences of 0 to 7 words."""
    generator = torch.Generator().manual_seed(1)
    total, length = images * expressions, 16
    words = torch.arange(total) % 8
    position = torch.arange(length)
    token_mask = position < (words + 2)[:, None]
    token_ids = torch.randint(1, 49000, (total, length), generator=generator) * token_mask
    return ReferringInputs(
        images=ImageInputs(
            pixels=torch.randn(images, 3, 64, 64, generator=generator),
            box=torch.tensor([[0.0, border, 64.0, 64.0 - border]]).repeat(images, 1)),
        expressions=ExpressionBatch(
            token_ids=token_ids,
            token_mask=token_mask,
            image_index=torch.arange(images).repeat_interleave(expressions)))


class TestCorrelationFilter:

    def test_against_a_loop(self):
        torch.manual_seed(0)
        query, tokens = torch.randn(6, 5), torch.randn(6, 11, 5)
        candidates = torch.rand(6, 11) < 0.6
        selected = CorrelationFilter(top_k=0.5)(query, tokens, candidates)
        for row in range(6):
            scores = {n: float(query[row] @ tokens[row, n]) for n in range(11) if candidates[row, n]}
            count = max(1, int(0.5 * len(scores) + 0.5)) if scores else 0
            expected = set(sorted(scores, key=scores.get, reverse=True)[:count])
            assert set(selected[row].nonzero().flatten().tolist()) == expected

    def test_one_candidate_is_selected_and_none_selects_nothing(self):
        candidates = torch.zeros(2, 4, dtype=torch.bool)
        candidates[0, 2] = True
        selected = CorrelationFilter(top_k=0.25)(torch.randn(2, 3), torch.randn(2, 4, 3), candidates)
        assert selected.tolist() == candidates.tolist()

    @pytest.mark.parametrize('top_k', [0, -0.5, 1.5])
    def test_share_out_of_range(self, top_k):
        with pytest.raises(ValueError, match=r'top_k of CorrelationFilter is a share in \(0, 1\]'):
            CorrelationFilter(top_k=top_k)

    def test_highest_marks_all_candidates_where_there_are_few(self):
        candidates = torch.tensor([[True, False, True]])
        assert highest(torch.randn(1, 3), torch.tensor([3]), candidates).tolist() == candidates.tolist()


class TestRandomFilter:

    @pytest.mark.parametrize('top_k', [0.01, 0.25, 0.5, 1.0])
    def test_selects_as_many(self, top_k):
        torch.manual_seed(0)
        query, tokens = torch.randn(50, 5), torch.randn(50, 11, 5)
        candidates = torch.rand(50, 11) < torch.linspace(0, 1, 50)[:, None]
        drawn = RandomFilter(top_k=top_k)(query, tokens, candidates)
        assert torch.equal(drawn.sum(dim=1), CorrelationFilter(top_k=top_k)(query, tokens, candidates).sum(dim=1))
        assert not (drawn & ~candidates).any()

    def test_each_candidate_as_often_whatever_it_holds(self):
        torch.manual_seed(0)
        tokens = torch.arange(10.0).view(1, 10, 1).expand(5000, 10, 3)
        candidates = torch.ones(5000, 10, dtype=torch.bool)
        candidates[:, 7:] = False
        share = RandomFilter(top_k=0.5)(torch.ones(5000, 3), tokens, candidates).float().mean(dim=0)
        assert (share[:7] - 4 / 7).abs().max() < 0.03 and share[7:].sum() == 0

    def test_needs_no_joint_space(self):
        candidates = torch.ones(2, 4, dtype=torch.bool)
        assert RandomFilter()(torch.randn(2, 3), torch.randn(2, 4, 8), candidates).sum() == 4

    def test_share_out_of_range(self):
        with pytest.raises(ValueError, match=r'top_k of RandomFilter is a share in \(0, 1\], but got 2'):
            RandomFilter(top_k=2)

    def test_in_both_branches(self, tiny_model):
        """By config alone: the same ratios with the correlation switched off."""
        config = tiny_config().model
        for branch in config.distillation.values():
            branch.correlation_filter.type = 'RandomFilter'
        model = MODELS.build(config)
        main = model.main_pass(make_inputs())
        for name, branch in model.distillation.items():
            selected = branch.select(main).flatten(1).sum(dim=1)
            assert torch.equal(selected, tiny_model.distillation[name].select(main).flatten(1).sum(dim=1))
            branch(main, model.encoder, model.stages).loss.backward(retain_graph=True)
        assert len({tuple(branch.select(main).flatten().tolist()) for _ in range(5)}) > 1


@pytest.fixture
def main_pass(tiny_model):
    return tiny_model.main_pass(make_inputs())


class TestWhereMasksFall:

    def test_patches(self, tiny_model, main_pass):
        """Exactly round(0.25 T) of the top T = half of the inside patches; never border. Over many draws, all of T."""
        branch = tiny_model.distillation['lmvsd']
        inside = main_pass.image_embeddings.inside[main_pass.image_index].flatten(1)
        assert inside[0].sum() == 32 and inside.shape[1] == 64
        patches = main_pass.encoded.image.patches[main_pass.image_index]
        scores = torch.einsum('pd,pnd->pn', main_pass.encoded.text.sentence, patches).masked_fill(~inside, -1e9)
        top = torch.zeros_like(inside).scatter_(1, scores.topk(16).indices, True)
        ever = torch.zeros_like(inside)
        for _ in range(40):
            mask = branch.draw(branch.select(main_pass)).flatten(1)
            assert (mask.sum(dim=1) == 4).all()
            assert not (mask & ~top).any()
            ever |= mask
        assert (ever == top).all()

    def test_words(self, tiny_model, main_pass):
        """Only on the top half of the words, in a share of mask_ratio, never on [SOS], [EOS] or padding."""
        branch = tiny_model.distillation['vmlsd']
        token_mask = main_pass.encoded.text.token_mask
        drawn = torch.stack([branch.draw(branch.select(main_pass)) for _ in range(1500)]).float().mean(dim=0)
        selected_count = 0
        for row in range(token_mask.size(0)):
            words = int(token_mask[row].sum()) - 2
            assert drawn[row, 0] == 0
            assert (drawn[row, words + 1:] == 0).all()
            expected = max(1, int(0.5 * words + 0.5)) if words else 0
            assert int((drawn[row] > 0).sum()) == expected
            selected_count += expected
        assert drawn.sum().item() / selected_count == pytest.approx(0.1, abs=0.01)

    @pytest.mark.parametrize('ratio', [0.0, 1.0])
    def test_ratio_of_none_and_of_all(self, tiny_model, main_pass, ratio):
        for name in ('lmvsd', 'vmlsd'):
            branch = tiny_model.distillation[name]
            branch.mask_ratio = ratio
            count = branch.draw(branch.select(main_pass)).flatten(1).sum(dim=1)
            if ratio == 0:
                assert (count == 0).all()
            elif name == 'lmvsd':
                assert (count == 16).all()

    def test_ratio_out_of_range(self, tiny_model):
        with pytest.raises(ValueError, match=r'mask_ratio of MaskedVisualDistillation is a share in \[0, 1\]'):
            MaskedVisualDistillation(
                encoder=tiny_model.encoder, stages=tiny_model.stages, mask_ratio=1.5, loss=dict(type='DiceLoss'))


class TestWhatIsMasked:

    def test_content_goes_and_position_stays(self, tiny_model, main_pass):
        """Masked cells hold v' whatever was there; two of them still differ after the encoder."""
        encoder = tiny_model.encoder.eval()
        embeddings = main_pass.image_embeddings
        mask = torch.zeros(2, 8, 8, dtype=torch.bool)
        mask[:, 2, 4] = mask[:, 5, 3] = True
        vector = torch.randn(encoder.cell_channels)
        masked = encoder.replace_patches(embeddings, mask, vector)
        assert torch.equal(masked.cells.flatten(2)[:, :, 20], vector.expand(2, -1))
        assert torch.equal(masked.cells.flatten(2)[:, :, 21], embeddings.cells.flatten(2)[:, :, 21])
        other = replace(embeddings, cells=torch.where(mask.unsqueeze(1), 7.0, embeddings.cells))
        remasked = encoder.replace_patches(other, mask, vector)
        patches = encoder.encode_image(masked).patches
        assert torch.equal(patches, encoder.encode_image(remasked).patches)
        assert (patches[:, 20] - patches[:, 43]).abs().max() > 1e-2

    def test_words_keep_their_position(self, tiny_model, main_pass):
        encoder = tiny_model.encoder.eval()
        embeddings = main_pass.text_embeddings
        mask = torch.zeros_like(embeddings.token_mask)
        mask[-1, [2, 4]] = True
        masked = encoder.replace_words(embeddings, mask, torch.randn(encoder.word_channels))
        assert torch.equal(masked.words[-1, 2], masked.words[-1, 4])
        assert torch.equal(masked.words[:-1], embeddings.words[:-1])
        words = encoder.encode_text(masked).words
        assert (words[-1, 2] - words[-1, 4]).abs().max() > 1e-2

    def test_a_replay_with_nothing_masked_is_the_main_pass(self, tiny_model):
        tiny_model.eval()
        main = tiny_model.main_pass(make_inputs())
        for branch in tiny_model.distillation.values():
            branch.mask_ratio = 0.0
            mask = branch.draw(branch.select(main))
            logits = tiny_model.decode(branch.replay(main, tiny_model.encoder, mask))
            assert torch.allclose(logits, main.logits, atol=1e-5)


class TestGradients:

    @pytest.mark.parametrize('name', ['lmvsd', 'vmlsd'])
    def test_none_reaches_the_teacher(self, tiny_model, name):
        main = tiny_model.main_pass(make_inputs())
        teacher = main.logits.detach().requires_grad_()
        main = replace(main, logits=teacher)
        tiny_model.distillation[name](main, tiny_model.encoder, tiny_model.stages).loss.backward()
        assert teacher.grad is None

    @pytest.mark.parametrize('name', ['lmvsd', 'vmlsd'])
    def test_by_option_it_does(self, tiny_model, name):
        main = tiny_model.main_pass(make_inputs())
        teacher = main.logits.detach().requires_grad_()
        tiny_model.distillation[name].detach_teacher = False
        main = replace(main, logits=teacher)
        tiny_model.distillation[name](main, tiny_model.encoder, tiny_model.stages).loss.backward()
        assert teacher.grad.abs().sum() > 0

    def test_mask_tokens_are_in_the_graph_when_nothing_is_drawn(self, tiny_model):
        main = tiny_model.main_pass(make_inputs())
        for branch in tiny_model.distillation.values():
            branch.mask_ratio = 0.0
            branch(main, tiny_model.encoder, tiny_model.stages).loss.backward(retain_graph=True)
            assert branch.mask_token.grad is not None


class TestWeights:

    def test_shared_branches_add_two_vectors(self, tiny_model):
        config = tiny_config('cm_masksd/ablations/shaperef_baseline.py').model
        baseline = {name: value.shape for name, value in MODELS.build(config).named_parameters()}
        extra = {name: value.shape for name, value in tiny_model.named_parameters() if name not in baseline}
        assert extra == {
            'distillation.lmvsd.mask_token': (tiny_model.encoder.cell_channels, ),
            'distillation.vmlsd.mask_token': (tiny_model.encoder.word_channels, )
        }
        assert set(baseline) < set(dict(tiny_model.named_parameters()))

    def test_unshared_branches_own_copies(self):
        config = tiny_config().model
        for branch in config.distillation.values():
            branch.share_weights = False
        model = MODELS.build(config)
        stages = sum(p.numel() for stage in model.stages for p in stage.parameters())
        branches = sum(p.numel() for p in model.distillation.parameters())
        assert branches == 2 * stages + model.encoder.cell_channels + model.encoder.word_channels
        copied = model.distillation['lmvsd'].stages[0].aggregate[0].weight
        original = model.neck.aggregate[0].weight
        assert torch.equal(copied, original) and copied.data_ptr() != original.data_ptr()


def test_unshared_branches_start_as_the_initialised_model_does():
    config = tiny_config().model
    for branch in config.distillation.values():
        branch.share_weights = False
    model = MODELS.build(config)
    model.init_weights()
    for branch in model.distillation.values():
        for own, stage in zip(branch.stages, model.stages):
            assert all(torch.equal(a, b) for a, b in zip(own.parameters(), stage.parameters()))
    assert model.head.kernel_projection.weight.std() < 0.02, 'the config initialises it small'


def test_patches_of_a_coarser_grid_cover_their_cells(tiny_model, main_pass):
    """As with a stem on a finer grid than the encoder's output."""
    mask = torch.zeros(2, 4, 2, dtype=torch.bool)
    mask[:, 1, 1] = True
    vector = torch.full((tiny_model.encoder.cell_channels, ), 5.0)
    masked = tiny_model.encoder.replace_patches(main_pass.image_embeddings, mask, vector)
    replaced = (masked.cells == 5).all(dim=1)
    expected = torch.zeros(2, 8, 8, dtype=torch.bool)
    expected[:, 2:4, 4:8] = True
    assert torch.equal(replaced, expected)


class TestRunningStatistics:

    @staticmethod
    def statistics(module: nn.Module) -> dict:
        return {name: buffer.clone() for name, buffer in module.named_buffers() if 'running' in name or 'num_b' in name}

    @pytest.mark.parametrize('update', [False, True])
    def test_replays_update_them_only_by_option(self, tiny_model, update):
        main = tiny_model.main_pass(make_inputs())
        before = self.statistics(tiny_model)
        assert before
        for branch in tiny_model.distillation.values():
            branch.update_statistics = update
            branch(main, tiny_model.encoder, tiny_model.stages)
        after = self.statistics(tiny_model)
        changed = any(not torch.equal(before[name], after[name]) for name in before)
        assert changed == update

    def test_main_pass_updates_them_after_a_replay(self, tiny_model):
        inputs = make_inputs()
        main = tiny_model.main_pass(inputs)
        tiny_model.distillation['lmvsd'](main, tiny_model.encoder, tiny_model.stages)
        before = self.statistics(tiny_model.neck)
        tiny_model.main_pass(inputs)
        after = self.statistics(tiny_model.neck)
        assert all(not torch.equal(before[name], after[name]) for name in before)
