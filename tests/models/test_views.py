"""A model that looks at an image twice: no line of data code of its own, and no image looked at again for a sentence.

The toy encoder is CLIP's at the demo's size, plus a frozen tower that looks at a second view.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmris.apis import Predictor
from mmris.models.encoders import CLIPEncoder
from mmris.registry import MODELS, RUNNERS
from mmris.structures import (
    EncoderOutput,
    ImageEmbeddings,
    ImageFeatures,
    ImageInputs,
    SharedRows,
    TensorStructure,
    TextFeatures,
)
from tests.conftest import ROOT

MEAN, STD = [10.0, 20.0, 30.0], [2.0, 4.0, 5.0]


@dataclass(frozen=True)
class TwoViews(TensorStructure):
    """The image state: CLIP's, and what the frozen tower made."""

    image: ImageFeatures
    frozen: SharedRows


@MODELS.register_module()
class TwoViewEncoder(CLIPEncoder):
    """Adds what a frozen tower sees on the view 'near' to each patch of CLIP's."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.tower = nn.Conv2d(3, self.cell_channels, 16, stride=16)
        self.seen = []

    def embed_image(self, images: ImageInputs) -> ImageEmbeddings:
        near = images.view('near')
        self.seen.append(near)
        return replace(super().embed_image(images), frozen=SharedRows.of(
            self.tower(near.pixels), len(near.pixels), near.pixels.device))

    def encode_image(self, embeddings: ImageEmbeddings) -> TwoViews:
        return TwoViews(super().encode_image(embeddings), embeddings.frozen)

    def join(self, image: TwoViews, text: TextFeatures, image_index: Tensor) -> EncoderOutput:
        maps = image.frozen.select(image_index)
        # One map an image, whatever the number of sentences, and of replays with images of their own.
        assert len(maps.values) <= self.most_rows
        features = image.image.select(image_index)
        first, *others = features.stages
        features = replace(features, stages=(first + maps.expand().mean(dim=(2, 3), keepdim=True), *others))
        return EncoderOutput(image=features, text=text, image_index=torch.arange(len(image_index)))


@pytest.fixture
def config(refer_set: Path, tmp_path: Path) -> Config:
    """The demo's model with another encoder: a few lines of a config, and none of code, beside the encoder's."""
    config = Config.fromfile(ROOT / 'configs/cm_masksd/vit-tiny_shaperef.py')
    config.merge_from_dict(
        dict(
            inputs=dict(views=dict(near=dict(type='Resize', size=(32, 48)))),
            model=dict(
                encoder=dict(type='TwoViewEncoder'),
                data_preprocessor=dict(views=dict(near=dict(mean=MEAN, std=STD))),
                frozen=['encoder.tower'])))
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.update(batch_size=5, num_workers=0)
        loader.dataset.update(data_root=str(refer_set), split='val')
    config.train_cfg.max_epochs = 1
    config.update(
        work_dir=str(tmp_path / 'work'), experiment_name=tmp_path.name, log_level='ERROR', custom_hooks=[])
    return config


def test_it_trains_with_both_branches_and_evaluates(config, monkeypatch):
    """Each image once a step, in training with its replays and in evaluation with all its sentences."""
    monkeypatch.setattr(TwoViewEncoder, 'most_rows', 5, raising=False)
    runner = RUNNERS.build(config)
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    runner.train()
    seen = runner.model.encoder.seen
    # One step of five images with several sentences each, then the validation of the same five.
    assert [tuple(view.pixels.shape) for view in seen] == [(5, 3, 32, 48)] * 2
    assert seen[0].box.tolist() == [[0, 0, 48, 32]] * 5
    after = runner.model.state_dict()
    changed = {name.split('.')[1] for name in before if name.startswith('encoder.') and not torch.equal(
        before[name], after[name])}
    assert {'image', 'text'} <= changed and 'tower' not in changed
    assert runner.val()['expressions'] == 15


def test_a_predictor_gives_each_view_its_own_pixels(config, monkeypatch):
    monkeypatch.setattr(TwoViewEncoder, 'most_rows', 1, raising=False)
    predictor = Predictor(config, device='cpu')
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    predictor.set_image(pixels)
    one = predictor.predict('the circle').probabilities
    several = predictor.predict(['the circle', 'the square', 'the star']).probabilities
    assert np.allclose(one[0], several[0], atol=1e-6)
    [near] = predictor.model.encoder.seen
    # Of its own size already: nothing but its own statistics.
    expected = (pixels.transpose(2, 0, 1) - np.array(MEAN)[:, None, None]) / np.array(STD)[:, None, None]
    assert np.allclose(near.pixels[0].numpy(), expected, atol=1e-4)


def test_half_precision_keeps_statistics(config):
    model = MODELS.build(config.model).half()
    assert model.data_preprocessor.mean_near.dtype == model.data_preprocessor.mean.dtype == torch.float32


@pytest.mark.parametrize('changes, message', [
    (dict(inputs=dict(views=dict(near=None))),
     "images have the views main, but model.data_preprocessor has mean and std of main, near: name the same"),
    (dict(model=dict(data_preprocessor=dict(views=None))),
     "images have the views main, near, but model.data_preprocessor has mean and std of main: name the same"),
    (dict(model=dict(data_preprocessor=dict(views=None)), inputs=dict(views=dict(near=None))),
     "The model looks at a view 'near' of its images, but they come with main: add inputs.views.near"),
])
def test_views_that_are_missing(config, changes, message):
    config.merge_from_dict(changes)
    with pytest.raises(ValueError, match=message):
        Predictor(config, device='cpu').set_image(np.zeros((20, 30, 3), dtype=np.uint8))


class TestSharedRows:

    def test_select_and_expand(self):
        values = dict(a=torch.arange(3.), b=(torch.arange(6.).view(3, 2), ))
        rows = SharedRows.of(values, 3, torch.device('cpu')).select(torch.tensor([2, 2, 0]))
        rows = rows.select(torch.tensor([1, 2]))
        assert rows.values is values and rows.index.tolist() == [2, 0]
        expanded = rows.expand()
        assert expanded['a'].tolist() == [2, 0] and expanded['b'][0].tolist() == [[4, 5], [0, 1]]

    @pytest.mark.parametrize('values', [
        torch.arange(3.), (torch.arange(3.), torch.zeros(3, 2)), dict(a=torch.arange(3.)),
        ImageEmbeddings(cells=torch.arange(3.), inside=torch.zeros(3))
    ], ids=['tensor', 'tuple', 'dict', 'structure'])
    def test_trimmed(self, values):
        """Of more values than others, each of the others gets its own; else all stays as it is."""
        rows = SharedRows.of(values, 3, torch.device('cpu'))
        several = rows.select(torch.tensor([2, 2, 0, 1]))
        assert several.trimmed() is several and rows.trimmed() is rows
        few = rows.select(torch.tensor([2, 0])).trimmed()
        assert few.index.tolist() == [0, 1]
        tensors = []
        few.map(lambda tensor: tensors.append(tensor) or tensor)
        assert tensors[0].tolist() == [2, 0] and all(len(tensor) == 2 for tensor in tensors)

    def test_inside_of_others(self):
        """Whoever selects rows of a structure does not copy what is shared."""
        shared = SharedRows.of(torch.zeros(2, 3), 2, torch.device('cpu'))
        embeddings = ImageEmbeddings(cells=torch.zeros(2, 1, 1, 1), inside=torch.ones(2, 1, 1) > 0, frozen=shared)
        chosen = embeddings.select(torch.tensor([1, 1, 0, 1]))
        assert chosen.frozen.values is shared.values and chosen.frozen.index.tolist() == [1, 1, 0, 1]
        assert chosen.cells.size(0) == 4
