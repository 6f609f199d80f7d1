"""Random masks of images and sentences, alone and in the data preprocessor."""

import numpy as np
import pytest
import torch

from mmris.datasets.tokenizers import CLIPTokenizer, WordTokenizer
from mmris.models.data_preprocessor import ReferringDataPreprocessor
from mmris.models.masking import RandomBlockMask, RandomWordMask, hide_blocks
from mmris.structures import ExpressionBatch, ImageInputs, ImageView, PixelDigests
from mmris.tokenizers import Vocabulary
from tests.conftest import tiny_config
from tests.test_configs import batch_of

BERT = Vocabulary(size=30522, special=(0, 100, 101, 102, 103), mask=103)


def images_of(size, rows=2, **views):
    height, width = (size, size) if isinstance(size, int) else size
    return ImageInputs(
        pixels=torch.randn(rows, 3, height, width) + 5,
        box=torch.tensor([[0.0, 0, width, height]]).repeat(rows, 1),
        views=views,
        digests=PixelDigests((b'one', b'two')[:rows]))


def runs(hidden):
    """Which of the blocks of 32 pixels of ``(H, W)`` are wholly hidden, and that no other pixel is."""
    blocks = hidden.reshape(hidden.shape[0] // 32, 32, hidden.shape[1] // 32, 32).transpose(0, 2, 1, 3)
    share = blocks.mean(axis=(2, 3))
    assert set(np.unique(share)) <= {0, 1}, 'a block is hidden by half'
    return share.astype(bool)


class TestBlocks:

    @pytest.mark.parametrize('size, hidden', [(448, 147), (480, 169), ((448, 480), 158)])
    def test_number_and_place(self, size, hidden):
        """Whole blocks on the grid of the image, as many as published; all other pixels are what they were."""
        torch.manual_seed(0)
        images = images_of(size, rows=2)
        masked = RandomBlockMask()(images)
        found = [runs((one == 0).all(dim=0).numpy().astype(float)) for one in masked.images.pixels]
        assert [int(one.sum()) for one in found] == [hidden] * 2 and (found[0] != found[1]).any()
        assert np.array_equal(np.stack(found), masked.blocks.numpy())
        kept = masked.images.pixels != 0
        assert torch.equal(masked.images.pixels[kept], images.pixels[kept])
        assert torch.equal(masked.images.box, images.box) and images.pixels.min() != 0
        assert masked.images.digests is None and images.digests is not None

    def test_each_block_is_hidden_as_often(self):
        torch.manual_seed(0)
        images = ImageInputs(torch.ones(4000, 1, 4, 6), torch.zeros(4000, 4))
        blocks = RandomBlockMask(block=1, ratio=0.75)(images).blocks.float()
        assert torch.equal(blocks.sum(dim=(1, 2)), torch.full((4000, ), 18.0))
        assert (blocks.mean(dim=0) - 0.75).abs().max() < 0.03
        pairs = torch.einsum('bi,bj->ij', blocks.flatten(1), blocks.flatten(1)) / 4000
        expected = 18 / 24 * 17 / 23
        assert (pairs[~torch.eye(24, dtype=torch.bool)] - expected).abs().max() < 0.04

    @pytest.mark.parametrize('ratio, count', [(0, 0), (0.25, 49), (0.5, 98), (0.9, 177), (1, 196)])
    def test_ratios(self, ratio, count):
        for pattern in ('random', 'block'):
            assert int(RandomBlockMask(ratio=ratio, pattern=pattern)(images_of(448, rows=1)).blocks.sum()) == count

    def test_grid(self):
        """One of each 2 x 2 stays, always the same of an image; over many draws any of the four."""
        torch.manual_seed(0)
        images = ImageInputs(torch.ones(64, 3, 56, 56), torch.zeros(64, 4))
        kept = ~RandomBlockMask(block=4, pattern='grid')(images).blocks
        cells = kept.view(64, 7, 2, 7, 2).permute(0, 2, 4, 1, 3)
        assert torch.equal(cells, cells[..., :1, :1].expand_as(cells))
        corners = cells[..., 0, 0].flatten(1)
        assert (corners.sum(dim=1) == 1).all() and corners.any(dim=0).all()

    def test_cutout(self):
        """One square of the area that comes nearest, anywhere within the image."""
        torch.manual_seed(0)
        images = ImageInputs(torch.ones(200, 3, 448, 448), torch.zeros(200, 4))
        blocks = RandomBlockMask(pattern='cutout')(images).blocks
        rows, columns = blocks.any(dim=2), blocks.any(dim=1)
        assert torch.equal(blocks, rows[:, :, None] & columns[:, None, :])
        assert (rows.sum(dim=1) == 12).all() and (columns.sum(dim=1) == 12).all()
        first = {(int(row.float().argmax()), int(column.float().argmax())) for row, column in zip(rows, columns)}
        assert first == {(y, x) for y in range(3) for x in range(3)}

    def test_beit(self):
        """Exactly as many as at random, of larger pieces: far fewer borders between hidden and kept blocks."""
        torch.manual_seed(0)
        images = ImageInputs(torch.ones(40, 3, 448, 448), torch.zeros(40, 4))
        borders = {}
        for pattern in ('random', 'block'):
            blocks = RandomBlockMask(pattern=pattern, ratio=0.4)(images).blocks
            assert (blocks.sum(dim=(1, 2)) == 79).all()
            borders[pattern] = (blocks[:, 1:] != blocks[:, :-1]).float().mean().item()
        assert borders['block'] < 0.5 * borders['random']
        assert len({tuple(one.flatten().tolist()) for one in blocks}) == 40

    def test_the_same_seed_draws_the_same(self):
        for pattern in ('random', 'grid', 'block', 'cutout'):
            drawn = []
            for _ in range(2):
                torch.manual_seed(3)
                drawn.append(RandomBlockMask(pattern=pattern)(images_of(448)).blocks)
            assert torch.equal(*drawn)

    def test_one_view_alone(self):
        other = ImageView(torch.ones(2, 3, 224, 224), torch.zeros(2, 4), PixelDigests((b'1', b'2')))
        images = images_of(448, joint=other)
        masked = RandomBlockMask()(images, 'joint')
        assert masked.blocks.shape == (2, 7, 7) and (masked.images.views['joint'].pixels == 0).any()
        assert masked.images.views['joint'].digests is None
        assert torch.equal(masked.images.pixels, images.pixels) and masked.images.digests == images.digests
        with pytest.raises(ValueError, match="looks at a view 'small' of its images, but they come with main, joint"):
            RandomBlockMask()(images, 'small')

    def test_mistakes_are_named(self):
        message = (r'Blocks of 112 x 112 pixels do not divide the input of 480 x 480 \(height x width\). Set block of '
                   r'RandomBlockMask to one of 8, 10, .* 160, 240, 480, or make the input 448 x 448 or another')
        with pytest.raises(ValueError, match=message):
            RandomBlockMask(block=112)(images_of(480))
        for width, message in ((496, 'Set block of RandomBlockMask to one of 8, 16, or make the input 448 x 512 or'),
                               (500, 'Make the input 448 x 512 or another multiple of 32, if the encoder takes it')):
            with pytest.raises(ValueError, match=rf'input of 448 x {width} \(height x width\)\. {message}'):
                RandomBlockMask()(ImageInputs(torch.ones(1, 3, 448, width), torch.zeros(1, 4)))
        with pytest.raises(ValueError, match=r'ratio of RandomBlockMask is a share in \[0, 1\], but got 1.5'):
            RandomBlockMask(ratio=1.5)
        with pytest.raises(ValueError, match='block of RandomBlockMask is a side in pixels of at least 1, but got 0'):
            RandomBlockMask(block=0)
        with pytest.raises(ValueError, match="must be one of random, grid, block, cutout, but got 'line'"):
            RandomBlockMask(pattern='line')
        for ratio in (0.5, 1):
            with pytest.raises(ValueError, match=f'ratio must be 1 - 1 / s.2, as 0.75 or 0.8889, but got {ratio}'):
                RandomBlockMask(pattern='grid', ratio=ratio)

    def test_hiding_does_not_change_the_pixels_that_came(self):
        pixels = torch.ones(1, 3, 4, 4)
        hidden = hide_blocks(pixels, torch.tensor([[[True, False]]]))
        assert hidden[..., :2].sum() == 0 and (hidden[..., 2:] == 1).all() and (pixels == 1).all()


def sentences_of(rows=7000, length=22, vocabulary=BERT):
    """Sentences of 20 words and the two ends, each third without its second half, with special tokens inside."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1000, 30522, (rows, length), generator=generator)
    ids[:, 0], ids[:, -1], ids[:, 5] = 101, 102, 100
    mask = torch.ones_like(ids, dtype=torch.bool)
    mask[::3, 11:] = False
    ids[~mask] = 0
    return ExpressionBatch(ids, mask, torch.arange(rows), vocabulary)


class TestWords:

    def test_shares(self):
        """Over 100,000 words; and never a special token or padding."""
        torch.manual_seed(0)
        given = sentences_of()
        before = given.token_ids.clone()
        masked = RandomWordMask()(given)
        ids = masked.expressions.token_ids
        special = sum(before == one for one in BERT.special).bool()
        words = given.token_mask & ~special
        assert torch.equal(masked.words, words) and words.sum() > 100000
        assert not (masked.chosen & ~words).any() and not masked.hidden.any()
        assert torch.equal(ids[~masked.chosen], before[~masked.chosen]) and torch.equal(given.token_ids, before)
        assert masked.expressions.token_mask is given.token_mask
        share = masked.chosen.sum() / words.sum()
        assert share.item() == pytest.approx(0.15, abs=0.005)
        kinds = dict(mask=ids == 103, same=ids == before, other=(ids != 103) & (ids != before))
        for kind, expected in dict(mask=0.8, same=0.1, other=0.1).items():
            found = (kinds[kind] & masked.chosen).sum() / masked.chosen.sum()
            assert found.item() == pytest.approx(expected, abs=0.015), kind
        random_ids = ids[masked.chosen & kinds['other']]
        assert random_ids.min() < 1000 and random_ids.max() > 29500 and random_ids.max() < 30522

    @pytest.mark.parametrize('shares, kinds', [((1, 0), {103}), ((0, 0), set()), ((0.5, 0), {103})])
    def test_other_splits(self, shares, kinds):
        torch.manual_seed(0)
        given = sentences_of(rows=200)
        masked = RandomWordMask(ratio=1, mask_share=shares[0], random_share=shares[1])(given)
        assert torch.equal(masked.chosen, masked.words)
        changed = masked.expressions.token_ids != given.token_ids
        assert set(masked.expressions.token_ids[changed].unique().tolist()) == kinds
        assert (changed.sum() / masked.chosen.sum()).item() == pytest.approx(shares[0], abs=0.03)

    def test_a_vector_in_place_of_a_token(self):
        """The ids of what it hides stay; random words become ids as ever."""
        torch.manual_seed(0)
        given = sentences_of(vocabulary=Vocabulary(size=30522, special=BERT.special))
        masked = RandomWordMask()(given, has_vector=True)
        assert (masked.hidden.sum() / masked.chosen.sum()).item() == pytest.approx(0.8, abs=0.015)
        changed = masked.expressions.token_ids != given.token_ids
        assert changed.any() and not (changed & masked.hidden).any() and not (masked.hidden & ~masked.chosen).any()

    def test_numbers_in_the_config_go_before_the_tokenizers(self):
        given = sentences_of(rows=50)
        mask = RandomWordMask(ratio=1, mask_share=1, random_share=0, vocabulary=dict(
            size=40000, special=[0, 101, 102], mask=39999))
        ids = mask(given).expressions.token_ids
        assert (ids[:, 5] == 39999).all() and (ids[:, 0] == 101).all()

    def test_mistakes_are_named(self):
        with pytest.raises(ValueError, match='ratio of RandomWordMask is a share'):
            RandomWordMask(ratio=-0.1)
        with pytest.raises(ValueError, match='so at most 1 together, but got 0.8 and 0.3'):
            RandomWordMask(mask_share=0.8, random_share=0.3)
        with pytest.raises(ValueError, match='has no `vocabulary` that says it: add it to the tokenizer.*or set '
                                             r'vocabulary=dict\(size=..., special='):
            RandomWordMask()(sentences_of(rows=2, vocabulary=None))
        with pytest.raises(ValueError, match='no such token.*set learned_mask=True.*mask_share=0 and random_share=1'):
            RandomWordMask()(sentences_of(rows=2, vocabulary=Vocabulary(30522, (101, 102))))
        for given, message in ((dict(special=(1, )), 'has size, special and, .* but got special'),
                               (dict(size=10, special=(1, ), maks=3), 'but got size, special, maks'),
                               (dict(size=10, special=(1, ), mask=50), '10 ids, 0 to 9, but names 50 as a special')):
            with pytest.raises(ValueError, match='vocabulary of RandomWordMask .*' + message):
                RandomWordMask(vocabulary=given)


def test_what_tokenizers_say():
    """Those that need a file are tested with it."""
    assert CLIPTokenizer(context_length=17).vocabulary == Vocabulary(49408, (49406, 49407))
    words = WordTokenizer(context_length=17, vocabulary='shaperef')
    assert words.vocabulary.special == (0, 1, 2, 3) and words.vocabulary.mask is None
    assert words.decode(torch.tensor([2, words.vocabulary.size - 1, 3]), torch.ones(3, dtype=torch.bool))


class TestInTheDataPreprocessor:
    # No pixel is the mean, nor is the border's.
    STATISTICS = dict(mean=[0.5, 1.5, 2.5], std=[58.0, 57.0, 57.0])
    WORDS = dict(type='RandomWordMask', ratio=1, mask_share=0, random_share=1)
    IMAGE = dict(type='RandomBlockMask', block=16)

    def run(self, refer_set, training, **masking):
        torch.manual_seed(0)
        batch = batch_of(tiny_config().train_dataloader, refer_set, 'refs(unc).p')
        return ReferringDataPreprocessor(**self.STATISTICS, masking=masking or None)(batch, training)

    def test_in_training_alone(self, refer_set):
        plain = self.run(refer_set, True)['inputs']
        masked = self.run(refer_set, True, image=self.IMAGE, words=self.WORDS)
        for evaluated in (self.run(refer_set, False, image=self.IMAGE, words=self.WORDS)['inputs'],
                          self.run(refer_set, False)['inputs']):
            assert torch.equal(evaluated.images.pixels, plain.images.pixels)
            assert torch.equal(evaluated.expressions.token_ids, plain.expressions.token_ids)
        images, expressions = masked['inputs'].images, masked['inputs'].expressions
        hidden = (images.pixels == 0).all(dim=1)
        assert torch.equal(hidden.sum(dim=(1, 2)), torch.full((3, ), 12 * 256))
        assert torch.equal(images.pixels[~hidden[:, None].expand_as(images.pixels)],
                           plain.images.pixels[~hidden[:, None].expand_as(images.pixels)])
        ends = sum(plain.expressions.token_ids == one for one in (49406, 49407)).bool() | ~expressions.token_mask
        assert torch.equal(expressions.token_ids[ends], plain.expressions.token_ids[ends])
        assert (expressions.token_ids != plain.expressions.token_ids)[~ends].float().mean() > 0.99
        assert all(torch.equal(one.gt_input, other.gt_input) for one, other in zip(
            masked['data_samples'], self.run(refer_set, True)['data_samples']))

    def test_mistakes_are_named(self, refer_set):
        with pytest.raises(ValueError, match='masking has image, words or both, and may have view, but has pixels'):
            ReferringDataPreprocessor(**self.STATISTICS, masking=dict(pixels=self.IMAGE))
        with pytest.raises(ValueError, match='masking has image, words or both, and may have view, but has view'):
            ReferringDataPreprocessor(**self.STATISTICS, masking=dict(view='main'))
        with pytest.raises(ValueError, match='must say which view is masked, .* several: view, one of main, joint'):
            ReferringDataPreprocessor(
                **self.STATISTICS, views=dict(joint=self.STATISTICS), masking=dict(image=self.IMAGE))
        with pytest.raises(ValueError, match="masking.view is 'joint', but must be one of main, beside an image mask"):
            ReferringDataPreprocessor(**self.STATISTICS, masking=dict(image=self.IMAGE, view='joint'))
        with pytest.raises(ValueError, match='the tokenizer has no such token'):
            self.run(refer_set, True, words=dict(type='RandomWordMask'))
