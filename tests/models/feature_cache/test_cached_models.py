"""Models with a feature cache: what they compute, what they refuse, and which entries they use."""

import copy
from dataclasses import replace
from typing import Any, List

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmris.images.digest import digest_pixels
from mmris.models.feature_cache import FeatureCache
from mmris.registry import MODELS
from mmris.structures import PixelDigests, ReferringInputs
from tests.conftest import assert_close, assert_same, tiny_config
from tests.models import toy_evf_sam
from tests.models.test_distillation import make_inputs
from tests.models.test_image_towers import RESNET
from tests.models.test_referring_segmentor import samples_with_masks

CACHE = dict(max_gigabytes=1)


def evf_sam(**changes: Any) -> Config:
    own = dict(frozen=['encoder.segmenter'], distillation=toy_evf_sam.BRANCHES)
    return Config({**toy_evf_sam.CONFIG, **own, **changes})


def evf_sam2(**changes: Any) -> Config:
    return Config({**toy_evf_sam.SAM2_CONFIG, 'frozen': ['encoder.segmenter'], **changes})


def of_config(name: str, **changes: Any) -> Config:
    config = tiny_config(name).model
    config.update(frozen=['encoder.image'], **changes)
    return config


def risclip(**changes: Any) -> Config:
    """With blocks before the first CFE; their adapters are frozen too."""
    config = tiny_config('risclip/vit-tiny_shaperef_stage2.py').model
    config.encoder.update(cfe_blocks=[2], adapter_ratio=0.5)
    config.update(frozen=['encoder.image', 'encoder.image_adapters'], **changes)
    return config


def detris(**changes: Any) -> Config:
    config = tiny_config('detris/tiny_shaperef.py').model
    config.update(frozen=['encoder.image', 'encoder.text'], **changes)
    return config


def lavt(**changes: Any) -> Config:
    """With the first stage frozen alone."""
    config = tiny_config('lavt/tiny_shaperef.py').model
    config.update(frozen=['encoder.image.patch_embed', 'encoder.image.layers.0.blocks'], **changes)
    return config


MODELS_WITH_TOWERS = dict(
    evf_sam=evf_sam,
    evf_sam2=evf_sam2,
    cm_masksd=lambda **changes: of_config('cm_masksd/vit-tiny_shaperef.py', **changes),
    cris=lambda **changes: of_config('cris/rn-tiny_shaperef.py', **changes),
    risclip=risclip,
    detris=detris,
    lavt=lavt)


def build(config: Config, **changes: Any) -> nn.Module:
    torch.manual_seed(0)
    config = copy.deepcopy(config)
    config.update(changes)
    return MODELS.build(config)


def with_digests(inputs: ReferringInputs) -> ReferringInputs:
    """As the data preprocessor gives them."""
    images = inputs.images

    def of(pixels, box):
        return PixelDigests(tuple(digest_pixels(*one) for one in zip(pixels.numpy(), box.tolist())))

    views = {name: replace(view, digests=of(view.pixels, view.box)) for name, view in images.views.items()}
    return replace(inputs, images=replace(images, views=views, digests=of(images.pixels, images.box)))


def batch_for(model: nn.Module, images: int = 3) -> ReferringInputs:
    if 'joint' in model.data_preprocessor.views:
        return with_digests(toy_evf_sam.batch([row for row in range(images) for _ in range(2)], [5] * 2 * images))
    return with_digests(make_inputs(images, 2))


def step(model: nn.Module, inputs: ReferringInputs) -> dict:
    """Losses, and the gradient of each weight."""
    torch.manual_seed(1)
    samples = samples_with_masks(inputs)
    model.zero_grad()
    losses = model.loss(inputs, samples)
    model.parse_losses(losses)[0].backward()
    found = {name: value.detach() for name, value in losses.items()}
    found.update({name: value.grad for name, value in model.named_parameters() if value.grad is not None})
    return found


def part_of(inputs: ReferringInputs, rows: List[int]) -> ReferringInputs:
    """Some images with their sentences."""
    index = inputs.expressions.image_index
    expressions = inputs.expressions.select(torch.cat([(index == row).nonzero().flatten() for row in rows]))
    counts = torch.tensor([int((index == row).sum()) for row in rows])
    return ReferringInputs(
        images=inputs.images.select(torch.tensor(rows)),
        expressions=replace(expressions, image_index=torch.arange(len(rows)).repeat_interleave(counts)))


@pytest.mark.parametrize('name', MODELS_WITH_TOWERS)
class TestTraining:

    def test_same_bits_in_the_same_batches(self, name, tmp_path):
        """Both when features are computed and when they are found, also by another process, from files."""
        config = MODELS_WITH_TOWERS[name]()
        plain = build(config)
        inputs = batch_for(plain)
        expected = step(plain, inputs)
        for _ in range(2):
            cached = build(config, feature_cache=dict(folder=str(tmp_path)))
            for _ in range(2):
                assert_same(step(cached, inputs), expected)
        assert cached.feature_cache.take_counts() == (6, 0)

    def test_the_tower_does_not_run_again(self, name, monkeypatch):
        model = build(MODELS_WITH_TOWERS[name](distillation=None), feature_cache=CACHE)
        inputs = batch_for(model)
        step(model, inputs)
        owner, method = model.encoder, 'encode_image'
        if 'segmenter' in model.encoder.image_parts:
            owner, method = model.encoder.segmenter, 'forward'
        monkeypatch.setattr(type(owner), method, None)
        step(model, inputs)

    def test_other_batches_are_close(self, name):
        config = MODELS_WITH_TOWERS[name](distillation=None)
        plain, cached = build(config), build(config, feature_cache=CACHE)
        # BatchNorm over few rows would make much of little.
        plain.eval(), cached.eval()
        inputs = batch_for(plain)
        cached.encode_images(part_of(inputs, [2]).images)
        mixed = part_of(inputs, [1, 2, 0, 2])
        assert_close(cached.encode_decode(mixed), plain.encode_decode(mixed))
        assert cached.feature_cache.take_counts() == (2, 3)

    @pytest.mark.parametrize('dtype, relative', [('float16', 1e-2), ('bfloat16', 1e-1)])
    def test_half_precision_is_close(self, name, dtype, relative):
        config = MODELS_WITH_TOWERS[name](distillation=None)
        plain, cached = build(config).eval(), build(config, feature_cache=dict(CACHE, dtype=dtype)).eval()
        inputs = batch_for(plain)
        first = cached.encode_decode(inputs)
        assert_close(first, plain.encode_decode(inputs), relative)
        # What was just computed is rounded as what is found, so that a run that is resumed has the same bits.
        assert torch.equal(first, cached.encode_decode(inputs))

    def test_mixed_precision(self, name):
        config = MODELS_WITH_TOWERS[name](distillation=None)
        plain, cached = build(config).eval(), build(config, feature_cache=CACHE).eval()
        inputs = batch_for(plain)
        cached.encode_decode(inputs)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            for _ in range(2):
                assert torch.equal(cached.encode_decode(inputs), plain.encode_decode(inputs))
        assert len(cached.feature_cache.stores) == 2 and cached.feature_cache.take_counts() == (3, 6)


class TestMaskedReplays:

    def test_are_not_taken_from_the_cache(self, monkeypatch):
        """The main pass is; a replay's features depend on the mask."""
        model = build(MODELS_WITH_TOWERS['cm_masksd'](), feature_cache=CACHE)
        inputs = batch_for(model)
        step(model, inputs)
        rows, encode = [], model.encoder.encode_image
        monkeypatch.setattr(model.encoder, 'encode_image',
                            lambda embeddings: rows.append(len(embeddings.cells)) or encode(embeddings))
        step(model, inputs)
        # One image for each of six sentences.
        assert rows == [6]


class TestStaleEntries:

    @staticmethod
    def counts(folder, change=lambda model: None, inputs=None, **changes) -> tuple:
        model = build(evf_sam(**changes), feature_cache=dict(folder=str(folder)))
        change(model)
        model.encode_images((inputs or batch_for(model)).images)
        return model.feature_cache.take_counts()

    @pytest.fixture
    def folder(self, tmp_path):
        assert self.counts(tmp_path) == (0, 3) and self.counts(tmp_path) == (3, 0)
        return tmp_path

    def test_weights(self, folder):
        def change(model):
            model.encoder.segmenter.vit.neck[0].weight.data[0, 0, 0, 0] += 1e-6

        assert self.counts(folder, change) == (0, 3)
        # Other parts do not matter.
        assert self.counts(folder, lambda model: model.encoder.joint.image_positions.data.add_(1)) == (3, 0)

    @pytest.mark.parametrize('preprocessing', [
        dict(mean=[127.5, 127.5, 127]), dict(std=[127.5, 127.5, 127]), dict(zero_border=False)])
    def test_normalisation(self, folder, preprocessing):
        changed = dict(toy_evf_sam.CONFIG['data_preprocessor'], **preprocessing)
        assert self.counts(folder, data_preprocessor=changed) == (0, 3)

    def test_normalisation_of_another_view(self, folder):
        changed = dict(toy_evf_sam.CONFIG['data_preprocessor'], views=dict(joint=dict(mean=[0] * 3, std=[1] * 3)))
        assert self.counts(folder, data_preprocessor=changed) == (3, 0)

    def test_settings_that_are_no_weights(self, folder):
        def change(model):
            model.encoder.segmenter.vit.blocks[0].window_size = 4

        assert self.counts(folder, change) == (0, 3)

    @pytest.mark.parametrize('change', [
        lambda images: replace(images, pixels=images.pixels.index_fill(3, torch.tensor([5]), 0.5)),
        lambda images: replace(images, box=images.box - torch.tensor([0, 0, 1.0, 0])),
        lambda images: replace(images, pixels=images.pixels[..., :32, :]),
    ])
    def test_pixels_and_geometry(self, folder, change):
        inputs = toy_evf_sam.batch([0, 1, 2])
        assert self.counts(folder, inputs=with_digests(replace(inputs, images=change(inputs.images))))[1] >= 2

    def test_weights_that_are_loaded_later(self):
        """In the same model, by a checkpoint, or exchanged around an evaluation as EMAHook does."""
        model = build(evf_sam(), feature_cache=CACHE)
        inputs, plain = batch_for(model), build(evf_sam())
        model.encode_images(inputs.images)
        state = {name: value + 0.01 for name, value in plain.state_dict().items()}
        plain.load_state_dict(state)
        model.load_state_dict(state)
        assert_same(model.encode_images(inputs.images).maps.values, plain.encode_images(inputs.images).maps.values)
        model.encoder.segmenter.vit.pos_embed.data.add_(1)
        plain.encoder.segmenter.vit.pos_embed.data.add_(1)
        assert_same(
            model.eval().encode_images(inputs.images).maps.values,
            plain.eval().encode_images(inputs.images).maps.values)
        assert model.feature_cache.take_counts() == (0, 9)

    def test_copies_of_a_model_share_it(self):
        model = build(evf_sam(), feature_cache=CACHE)
        inputs = batch_for(model)
        model.encode_images(inputs.images)
        other = copy.deepcopy(model)
        other.encode_images(inputs.images)
        other.encoder.segmenter.vit.pos_embed.data.add_(1)
        other.eval().encode_images(inputs.images)
        model.encode_images(inputs.images)
        assert model.feature_cache.take_counts() == (6, 6) and other.feature_cache is model.feature_cache


def test_digests_of_pixels():
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    box = (0.0, 0.0, 4.0, 4.0)
    changed = pixels.copy()
    changed[3, 3, 2] += 1
    others = [(changed, box), (pixels, (0, 0, 4, 3)), (pixels.reshape(2, 8, 3), box), (pixels.astype(np.float32), box),
              (pixels.view(np.int8), box)]
    assert len({digest_pixels(*one) for one in [(pixels, box), *others]}) == 6
    # Of the values, not of how they lie in memory, nor of how a number is written.
    assert digest_pixels(np.asfortranarray(pixels), (0, 0, 4, 4)) == digest_pixels(pixels, box)


class TestBounds:

    def test_a_full_cache_helps_with_what_it_has(self):
        model, plain = (build(evf_sam(), **changes).eval() for changes in (dict(feature_cache=CACHE), {}))
        inputs = batch_for(model)
        model.encode_images(part_of(inputs, [0]).images)
        model.feature_cache.room.maximum = 1
        for _ in range(2):
            assert_close(model.encode_decode(inputs), plain.encode_decode(inputs))
        assert model.feature_cache.take_counts() == (2, 5)
        assert model.feature_cache.describe().startswith('1 entry, 8.')

    @pytest.mark.parametrize('arguments, message', [
        (dict(max_gigabytes=1, dtype='int8'), "dtype must be one of float32, float16, bfloat16, but got 'int8'"),
        (dict(folder='a', max_gigabytes=0), 'max_gigabytes must be more than 0, but got 0'),
        (dict(), 'has no folder, so it keeps features in memory: set max_gigabytes to what each process may take'),
    ])
    def test_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            FeatureCache(**arguments)

    def test_what_a_run_did_not_use_is_listed(self, tmp_path):
        TestStaleEntries.counts(tmp_path)
        model = build(evf_sam(data_preprocessor=dict(toy_evf_sam.CONFIG['data_preprocessor'], zero_border=False)),
                      feature_cache=dict(folder=str(tmp_path)))
        model.encode_images(batch_for(model).images)
        left = next(path.name for path in tmp_path.iterdir() if path.name not in model.feature_cache.stores)
        assert f'This run did not use {left} (' in model.feature_cache.describe()


def beit3() -> Config:
    return tiny_config('cm_masksd/beit3-tiny_shaperef.py').model


class TestRefused:

    @pytest.mark.parametrize('config, message', [
        (lambda: evf_sam(), None),
        (lambda: Config(dict(toy_evf_sam.CONFIG)),
         r'51 of 51 weights of encoder.segmenter are trained, such as encoder.segmenter.vit.\w+: name '
         r'encoder.segmenter in model.frozen. Leave model.feature_cache out to train it'),
        (lambda: Config(dict(toy_evf_sam.CONFIG, frozen=['encoder.segmenter.vit.blocks'])),
         r'9 of 51 weights of encoder.segmenter are trained, such as encoder.segmenter.vit.pos_embed'),
        (lambda: Config(dict(toy_evf_sam.CONFIG, frozen=['encoder.segmenter.vit'])),
         'encoder.segmenter is frozen in parts, not as a whole: name encoder.segmenter in model.frozen'),
        (lambda: Config(dict(tiny_config().model, frozen=['encoder.text'])),
         'weights of encoder.image are trained, such as'),
        (beit3, 'BEiT3Encoder has no such tower: image and words are one sequence from its first layer on. Leave'),
        (lambda: tiny_config('mail/tiny_shaperef.py').model, 'TrimodalEncoder has no such tower: image and words are'),
        (lambda: Config(dict(risclip(), frozen=['encoder.image'])),
         'weights of encoder.image_adapters are trained, such as encoder.image_adapters.0.attention'),
        (lambda: tiny_config('risclip/vit-tiny_shaperef_stage2.py').model,
         r'RISCLIPEncoder has no such tower: CFE \(cfe_blocks\) brings the sentence in before its first block'),
    ])
    def test_what_there_is_to_keep(self, config, message):
        if message is None:
            assert build(config(), feature_cache=CACHE).feature_cache is not None
            return
        with pytest.raises(ValueError, match=message):
            build(config(), feature_cache=CACHE)

    def test_images_without_digests(self):
        """In training, where the cache would do nothing. A Predictor's images have none, and are not kept."""
        model = build(evf_sam(), feature_cache=CACHE)
        inputs = toy_evf_sam.batch()
        with pytest.raises(ValueError, match='come without: set digests=True of PackReferringInputs'):
            model.loss(inputs, toy_evf_sam.truths(inputs))
        model.eval().encode_images(inputs.images)
        assert not model.feature_cache.stores


class TestJointEncoderWithATower:

    def test_both_towers_are_kept(self):
        """The segmenter's on one view, and the joint encoder's own on another."""
        clip = dict(type='CLIPEncoder', architecture=dict(RESNET, text_cfg=dict(RESNET['text_cfg'])))
        encoder = dict(toy_evf_sam.CONFIG['encoder'], joint=clip)
        names = ['encoder.segmenter', 'encoder.joint.image']
        model, plain = (build(evf_sam(encoder=encoder), frozen=names, neck=dict(
            type='PromptNeck', in_channels=24, channels=32), distillation=None, **changes)
            for changes in (dict(feature_cache=CACHE), {}))
        inputs = batch_for(model)
        for _ in range(2):
            assert_same(model.encode_images(inputs.images).named_tensors(),
                        plain.encode_images(inputs.images).named_tensors())
        assert [name.rpartition('-')[0] for name in sorted(model.feature_cache.stores)] == ['joint.image', 'segmenter']
        assert model.feature_cache.take_counts() == (6, 6)
