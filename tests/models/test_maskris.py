"""MaskRIS's branch, on all methods."""

import copy
from dataclasses import replace

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmris.checkpoints.publishing import publish
from mmris.datasets.pipelines import resolve_pipelines
from mmris.models.distillation import measure_hidden_share
from mmris.models.segmentors import compile_stages
from mmris.registry import MODELS
from mmris.tokenizers import Vocabulary
from mmris.utils.complexity import count_complexity
from mmris.utils.training_complexity import count_training
from tests.conftest import ROOT, tiny_config
from tests.models.test_distillation import make_inputs
from tests.models.test_existence_head import METHODS
from tests.models.test_referring_segmentor import samples_with_masks
from tests.test_configs import batch_of, shrink

LOSS = dict(type='BinaryCrossEntropyLoss', class_weights=(0.9, 1.1), divide_by='pixels', loss_weight=0.5)
BLOCKS = dict(type='RandomBlockMask', block=8)
WORDS = dict(type='RandomWordMask', ratio=0.5)
BRANCH = dict(type='MaskRISDistillation', image=BLOCKS, words=WORDS, learned_mask=True, loss=LOSS)
# Such as BERT's, on ids that the toy models' tokenizer gives.
VOCABULARY = dict(size=49408, special=(49406, 49407), mask=5)


def build(config, **changes):
    torch.manual_seed(0)
    return MODELS.build(Config(dict(config.model, distillation=dict(maskris={**BRANCH, **changes}))))


def tiny(**changes):
    return build(tiny_config('cm_masksd/ablations/shaperef_baseline.py'), **changes)


def without_branch(**changes):
    return Config({**tiny_config('cm_masksd/ablations/shaperef_baseline.py').model, **changes})


def inputs_with(**changes):
    """Made-up inputs, whose tokenizer has a [MASK]."""
    inputs, vocabulary = make_inputs(), Vocabulary(**{**VOCABULARY, **changes})
    return replace(inputs, expressions=replace(inputs.expressions, vocabulary=vocabulary))


def main_of(model, **changes):
    return model.main_pass(inputs_with(**changes))


@pytest.fixture(params=METHODS)
def method(request, refer_set):
    """A config of each method at toy size, and a training batch."""
    config = Config.fromfile(ROOT / f'configs/{request.param}.py')
    if config.model.encoder.type == 'EVFSAMEncoder':
        config.merge_from_dict({'inputs.steps.pack.masks': ['gt_input', 'gt_original']})
    config = shrink(config)
    return config, batch_of(config.train_dataloader, refer_set, 'refs(unc).p')


class TestOnEachMethod:

    def test_trains_a_step(self, method):
        config, batch = method
        model = build(config).train()
        losses = model(**model.data_preprocessor(batch, True), mode='loss')
        assert losses['loss_maskris'] > 0 and 0.75 <= losses['masked_image_maskris'] < 0.76
        for name in ('masked_words', 'target_share', 'chance'):
            assert 0 <= losses[f'{name}_maskris'] <= 1
        model.parse_losses(losses)[0].backward()
        assert model.distillation['maskris'].mask_token.grad.any()

    def test_nothing_masked_is_the_main_pass(self, method):
        """Also by sentences of which several are about one image."""
        config, batch = method
        model = build(config, image=dict(BLOCKS, ratio=0), words=dict(WORDS, ratio=0)).eval()
        branch = model.distillation['maskris']
        with torch.no_grad():
            main = model.main_pass(model.data_preprocessor(batch)['inputs'])
            encoded, masks = branch.encode_masked(main, model.encoder)
            logits = model.decode(encoded)
        assert len(logits) == len(main.image_index) and not masks.images.blocks.any()
        assert torch.allclose(logits, main.logits, atol=1e-5)

    def test_masks_are_seen(self, method):
        """Each modality's mask changes the logits, and what is not masked is not computed again."""
        config, batch = method
        for changes in (dict(words=None, learned_mask=False), dict(image=None, words=dict(WORDS, ratio=1))):
            model = build(config, **changes).eval()
            with torch.no_grad():
                main = model.main_pass(model.data_preprocessor(batch)['inputs'])
                encoded, masks = model.distillation['maskris'].encode_masked(main, model.encoder)
                logits = model.decode(encoded)
            assert (masks.images is None) == ('image' in changes)
            assert (logits - main.logits).flatten(1).abs().amax(dim=1).min() > 0


@pytest.mark.parametrize('name', ['cm_masksd/vit-b_refcoco', 'cm_masksd/swin-b_refcoco', 'shared_ris/beit3-b_refcoco',
                                  'mail/vilt-b_refcoco', 'lavt/swin-b_refcoco'])
def test_hidden_pixels_are_cells_of_an_empty_image(name, refer_set):
    """Where the stem has no overlap: what a mask of patches would do with the stem's answer to zeros."""
    config = shrink(Config.fromfile(ROOT / f'configs/{name}.py'))
    model = build(config, image=dict(BLOCKS, block=32, ratio=0.5)).eval()
    with torch.no_grad():
        main = model.main_pass(model.data_preprocessor(batch_of(
            config.train_dataloader, refer_set, 'refs(unc).p'))['inputs'])
        masked = model.distillation['maskris'].image(main.inputs.images)
        embeddings = model.encoder.embed_masked(masked.images, main.image_embeddings)
        images = main.inputs.images
        empty = model.encoder.embed_image(replace(images, pixels=torch.zeros_like(images.pixels)))
        height, width = (size // count for size, count in zip(main.inside.shape[1:], masked.blocks.shape[1:]))
        patches = masked.blocks.repeat_interleave(height, dim=1).repeat_interleave(width, dim=2)
        replaced = model.encoder.replace_patches(main.image_embeddings, patches, empty.cells[0, :, 0, 0])
    assert patches.any() and not patches.all()
    torch.testing.assert_close(embeddings.cells, replaced.cells, rtol=0, atol=1e-6)
    assert torch.equal(embeddings.inside, main.image_embeddings.inside)


class TestGradients:

    @pytest.mark.parametrize('detach', [True, False])
    def test_of_the_teacher(self, detach):
        model = tiny(detach_teacher=detach)
        main = main_of(model)
        teacher = main.logits.detach().requires_grad_()
        branch = model.distillation['maskris']
        branch(replace(main, logits=teacher), model.encoder, model.stages).loss.backward()
        assert teacher.grad is None if detach else teacher.grad.any()

    def test_where_the_passes_agree(self):
        """Towards the object: -0.2 t (1 - t) for each pixel, of the mean over pixels."""
        model = tiny(image=dict(BLOCKS, ratio=0), words=dict(WORDS, ratio=0)).eval()
        logits = []
        model.head.register_forward_hook(lambda _, __, found: logits.append(found) or found.retain_grad())
        main = main_of(model)
        model.distillation['maskris'](main, model.encoder, model.stages).loss.backward()
        teacher = main.logits.detach().double().sigmoid()
        expected = 0.5 * -0.2 * teacher * (1 - teacher) / teacher.numel()
        torch.testing.assert_close(logits[-1].grad.double(), expected, rtol=1e-2, atol=1e-9)

    def test_the_learned_vector_is_in_the_graph_when_nothing_is_chosen(self):
        model = tiny(words=dict(WORDS, ratio=0))
        model.distillation['maskris'](main_of(model), model.encoder, model.stages).loss.backward()
        assert model.distillation['maskris'].mask_token.grad is not None


class TestWithoutParameters:
    """With the tokenizer's [MASK] the branch has no weights, and leaves no trace."""

    CHANGES = dict(learned_mask=False, words=dict(WORDS, vocabulary=VOCABULARY))

    def test_weights_are_those_of_the_baseline(self):
        model = tiny(**self.CHANGES)
        baseline = MODELS.build(without_branch())
        assert list(model.state_dict()) == list(baseline.state_dict())
        model.init_weights()
        model.init_branch_copies()
        copied = copy.deepcopy(model)
        assert list(copied.distillation) == ['maskris']

    def test_with_stages_of_its_own(self):
        model = tiny(share_weights=False, **self.CHANGES)
        model.init_weights()
        branch = model.distillation['maskris']
        assert all(name.startswith('stages.') for name in branch.state_dict())
        for own, stage in zip(branch.stages, model.stages):
            assert all(torch.equal(a, b) for a, b in zip(own.parameters(), stage.parameters()))

    def test_cost(self):
        # Made-up sentences have a made-up [MASK].
        branch = dict(BRANCH, learned_mask=False)
        config = Config(dict(without_branch(), distillation=dict(maskris=branch)))
        with torch.device('meta'):
            model, baseline = MODELS.build(config), MODELS.build(without_branch())
        sizes = dict(shape=(64, 64), tokens=16)
        counted = count_complexity(model, **sizes)
        assert counted.pop('distillation') == dict(params=0, trained=0)
        assert counted == count_complexity(baseline, **sizes)
        step, plain = (count_training(one, images=2, **sizes) for one in (model, baseline))
        # Two passes instead of one.
        assert step['forward'] == pytest.approx(2 * plain['forward'], rel=0.01)

    def test_published(self, tmp_path):
        """Nothing of it is in a published file, with and without a vector."""
        written = {}
        for learned in (True, False):
            model = tiny(**{**self.CHANGES, 'learned_mask': learned})
            path = tmp_path / f'{learned}.pth'
            torch.save(dict(state_dict=model.state_dict(), meta={}), path)
            published = publish(path, tmp_path / f'published_{learned}', config='mmris::x.py', formats=['pth'])
            written[learned] = set(torch.load(published.files[0])['state_dict'])
        assert written[True] == written[False] == set(MODELS.build(without_branch()).state_dict())


class TestWhatIsMeasured:

    def test_hidden_share(self):
        """Pixels of the target, and blocks that are not border."""
        target = torch.zeros(2, 1, 8, 8)
        target[0, 0, 1:5, 2:4] = 1
        blocks = torch.zeros(2, 2, 2, dtype=torch.bool)
        blocks[:, 0, 0] = blocks[:, 1, 1] = True
        inside = torch.ones_like(blocks)
        inside[:, 1] = False
        found = measure_hidden_share(blocks, inside, target)
        assert found.target_share[0] == 0.75 and found.target_share[1].isnan()
        assert found.chance.tolist() == [0.5, 0.5]
        # The blocks cover the left half of the input alone.
        region = torch.tensor([[0.0, 0, 4, 8]]).repeat(2, 1)
        assert measure_hidden_share(blocks, inside, target, region).target_share[0] == 0.25
        region = torch.tensor([[2.0, 0, 6, 8]]).repeat(2, 1)
        assert measure_hidden_share(blocks, inside, target, region).target_share[0] == 0.75

    def test_of_one_modality(self):
        for changes, expected in ((dict(words=None, learned_mask=False), {'masked_image', 'target_share', 'chance'}),
                                  (dict(image=None), {'masked_words'})):
            model = tiny(**changes)
            output = model.distillation['maskris'](
                main_of(model), model.encoder, model.stages, torch.ones(8, 1, 64, 64))
            assert set(output.measured_by_name('x')) == {f'{name}_x' for name in expected}

    def test_on_the_scale_of_the_masks(self):
        """All of the image is the target, border and all: what is hidden of it is what is hidden of the image."""
        model = tiny()
        measured = model.distillation['maskris'](
            main_of(model), model.encoder, model.stages, torch.ones(8, 1, 64, 64)).measured
        assert measured.target_share == measured.masked_image == 0.75
        assert measured.chance != 0.75


class TestBatchNorm:

    @pytest.mark.parametrize('update', [False, True])
    def test_running_statistics(self, update):
        model = tiny(update_statistics=update)
        main = main_of(model)
        before = {name: value.clone() for name, value in model.named_buffers()}
        model.distillation['maskris'](main, model.encoder, model.stages)
        changed = [name for name, value in model.named_buffers() if not torch.equal(value, before[name])]
        assert bool(changed) == update


def test_masks_are_of_images_not_of_sentences():
    """One mask for all sentences about an image, which is encoded once."""
    model = tiny()
    rows = []
    encode = model.encoder.encode_image
    main = main_of(model)
    model.encoder.encode_image = lambda embeddings: rows.append(len(embeddings.cells)) or encode(embeddings)
    _, masks = model.distillation['maskris'].encode_masked(main, model.encoder)
    assert rows == [2] and len(main.image_index) == 8
    assert masks.images.blocks.shape == (2, 8, 8) and not torch.equal(*masks.images.blocks)
    assert masks.sentences.chosen.shape[0] == 8


class TestFeatureCache:

    def test_masked_images_are_neither_kept_nor_looked_for(self, refer_set):
        """Two steps: the first computes what is frozen of each image, the second finds it, and masks change nothing."""
        config = Config.fromfile(ROOT / 'configs/risclip/vit-tiny_shaperef_stage2.py')
        config.model.encoder.update(cfe_blocks=[2], adapter_ratio=0.5)
        config.model.update(frozen=['encoder.image', 'encoder.image_adapters'], feature_cache=dict(max_gigabytes=1))
        resolve_pipelines(config)
        model = build(config).train()
        batch = batch_of(config.train_dataloader, refer_set, 'refs(unc).p')
        for counted in ((0, 3), (3, 0)):
            model(**model.data_preprocessor(copy.deepcopy(batch), True), mode='loss')
            assert model.feature_cache.take_counts() == counted
        assert [len(store) for store in model.feature_cache.stores.values()] == [3]
        inputs = model.data_preprocessor(batch, True)['inputs']
        _, kept = model.encoder.look_at_images(inputs.images)
        computed = model.encoder.encode_image(model.encoder.embed_image(inputs.images))
        for found, expected in zip(kept.named_tensors().values(), computed.named_tensors().values()):
            torch.testing.assert_close(found, expected)

    def test_a_second_tower_is_not_run_again(self, refer_set):
        config = Config.fromfile(ROOT / 'configs/evf_sam/tiny_shaperef.py')
        resolve_pipelines(config)
        model = build(config).train()
        rows = []
        model.encoder.segmenter.register_forward_hook(lambda _, given, __: rows.append(len(given[0])))
        losses = model(**model.data_preprocessor(batch_of(
            config.train_dataloader, refer_set, 'refs(unc).p'), True), mode='loss')
        assert rows == [3] and 'loss_maskris' in losses

    def test_refuses_masks_of_all_that_enters(self):
        config = Config.fromfile(ROOT / 'configs/risclip/vit-tiny_shaperef_stage2.py')
        config.model.encoder.update(cfe_blocks=[2])
        config.model.update(frozen=['encoder.image', 'encoder.image_adapters'], feature_cache=dict(max_gigabytes=1))
        config.model.data_preprocessor.masking = dict(image=BLOCKS)
        with pytest.raises(ValueError, match="features of image by the pixels of the view 'main'. model.data_prep"):
            MODELS.build(config.model)


class TestMistakes:

    def test_nothing_to_mask(self):
        with pytest.raises(ValueError, match='MaskRISDistillation masks nothing: give it image, words or both'):
            tiny(image=None, words=None, learned_mask=False)
        with pytest.raises(ValueError, match='learned_mask of MaskRISDistillation stands for .* leave it out'):
            tiny(words=None)
        with pytest.raises(ValueError, match='stands for .MASK. in sentences, but mask_share of words is 0, so none'):
            tiny(words=dict(WORDS, mask_share=0))

    def test_a_tokenizer_without_mask(self):
        model = tiny(learned_mask=False)
        with pytest.raises(ValueError, match='the tokenizer has no such token.*set learned_mask=True'):
            model.distillation['maskris'](main_of(model, mask=None), model.encoder, model.stages)


def test_in_half_precision_and_over_several_batches(refer_set):
    """Gradients of two batches, in bfloat16 where autocast says so, add up; losses are float32."""
    config = tiny_config()
    model = build(config).train()
    batch = batch_of(config.train_dataloader, refer_set, 'refs(unc).p')

    def backward(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            losses = model(**model.data_preprocessor(copy.deepcopy(batch), True), mode='loss')
        assert losses['loss_maskris'].dtype == torch.float32
        (model.parse_losses(losses)[0] / 2).backward()
        return model.head.kernel_projection.weight.grad.clone()

    first, both = backward(1), backward(2)
    model.zero_grad()
    second = backward(2)
    assert second.abs().max() > 0 and not torch.equal(first, second)
    torch.testing.assert_close(both, first + second)


@pytest.mark.slow
def test_compiled():
    """The same losses and gradients as in plain code, and nothing compiled again in a second step."""
    torch._dynamo.reset()
    model = tiny().train()
    for module in model.modules():
        if hasattr(module, 'dropout') and isinstance(module.dropout, float):
            module.dropout = 0.0
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    compiled = copy.deepcopy(model)
    compile_stages(compiled, backend='aot_eager')
    found = []
    for one in (model, compiled):
        torch.manual_seed(2)
        losses = one.loss(inputs_with(), samples_with_masks(inputs_with()))
        one.parse_losses(losses)[0].backward()
        found.append((losses, {name: value.grad for name, value in one.named_parameters() if value.grad is not None}))
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-5)
    before = torch._dynamo.utils.counters['stats']['unique_graphs']
    compiled.loss(inputs_with(), samples_with_masks(inputs_with()))
    assert torch._dynamo.utils.counters['stats']['unique_graphs'] == before
