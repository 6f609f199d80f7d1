"""Multiply-adds of a training step, against layers written out by hand and against the count of evaluation."""

import pytest
import torch
from mmengine.config import Config
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmris.protocols import find_protocol
from mmris.registry import MODELS
from mmris.utils.complexity import count_complexity
from mmris.utils.training_complexity import _convolution_backward, count_training
from tests.conftest import ROOT

TINY = 'configs/cm_masksd/vit-tiny_shaperef.py'
SIZES = dict(shape=(64, 64), tokens=16)
# Of the ViT: 8 x 8 patches of 8 x 8 pixels, three colours, to 64 channels.
PATCHES = 64 * 3 * 8 * 8 * 64


def build(name: str = TINY, **changes) -> nn.Module:
    config = Config.fromfile(ROOT / name).model
    config.update(changes)
    with torch.device('meta'):
        return MODELS.build(config)


class ToyEncoder(nn.Conv2d):
    takes_instances = False


class Toy(nn.Module):
    """A convolution in two groups, attention over the places, and a linear map of each."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol = find_protocol('mmris')
        self.first = ToyEncoder(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 16, 3, padding=1, groups=2)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.last = nn.Linear(16, 1)

    @property
    def encoder(self) -> nn.Module:
        return self.first

    def loss(self, inputs, samples) -> dict:
        places = self.second(self.first(inputs.images.pixels)).flatten(2).transpose(1, 2)
        attended, _ = self.attention(places, places, places, need_weights=False)
        return dict(loss=self.last(attended).sum(), measured=places.sum())


class TestByHand:
    """The toy on three images of 4 x 6 pixels."""

    PLACES = 3 * 4 * 6
    FIRST, SECOND = PLACES * 3 * 8 * 9, PLACES * 8 * (16 // 2) * 9
    REST = PLACES * (4 * 16 * 16 + 2 * (4 * 6) * 16 + 16)

    def count(self, frozen: tuple = ()) -> dict:
        with torch.device('meta'):
            model = Toy()
        for name in frozen:
            getattr(model, name).requires_grad_(False)
        return count_training(model, shape=(4, 6), tokens=5, images=3)

    def test_each_layer_costs_three_times_but_for_the_gradient_of_pixels(self):
        forward = self.FIRST + self.SECOND + self.REST
        backward = 2 * forward - self.FIRST
        assert self.count() == dict(forward=forward, backward=backward, total=forward + backward)

    def test_frozen_layers_before_all_trained_ones_cost_once(self):
        counted = self.count(frozen=('first', ))
        assert counted['backward'] == 2 * (self.SECOND + self.REST) - self.SECOND

    def test_frozen_layers_after_trained_ones_pass_gradients_on(self):
        counted = self.count(frozen=('second', ))
        assert counted['backward'] == self.FIRST + self.SECOND + 2 * self.REST


@pytest.mark.parametrize('groups, transposed', [(1, False), (1, True), (4, False), (4, True)])
def test_gradients_of_convolutions_cost_as_one_convolution_for_each_group(groups, transposed):
    layer = nn.ConvTranspose2d if transposed else nn.Conv2d
    with torch.device('meta'):
        one = layer(8 // groups, 12 // groups, 3, stride=2)
        whole = layer(8, 12, 3, stride=2, groups=groups)
        pixels = torch.empty(2, 8, 9, 7, requires_grad=True)
        with FlopCounterMode(display=False) as apart:
            torch.cat([one(part) for part in pixels.chunk(groups, 1)], 1).sum().backward()
        mapping = {torch.ops.aten.convolution_backward: _convolution_backward}
        with FlopCounterMode(display=False, custom_mapping=mapping) as together:
            whole(pixels).sum().backward()
    assert together.get_total_flops() == apart.get_total_flops()


class TestAgainstEvaluation:

    @pytest.mark.parametrize('images, sentences', [(2, 1), (1, 2), (3, 2)])
    def test_a_baseline(self, images, sentences):
        """Forward is an evaluation; backward computes two gradients of each layer but the first."""
        model = build(distillation=None)
        total = count_complexity(model, **SIZES)['total']
        counted = count_training(model, images=images, sentences=sentences, **SIZES)
        assert counted['forward'] == images * (total['image']['flops'] + sentences * total['sentence']['flops'])
        assert counted['backward'] == 2 * counted['forward'] - images * PATCHES
        assert model.training

    def test_branches_replay_the_model(self):
        costs = count_complexity(build(), **SIZES)
        stages = sum(costs[name]['flops'] for name in ('neck', 'decoder', 'head'))
        encoder = costs['encoder']
        # From embeddings on: masked patches go through the image tower again, masked words through the text tower.
        replays = 2 * (encoder['image']['flops'] - PATCHES + encoder['text']['flops'] + 2 * stages)
        more = count_training(build(), images=2, **SIZES)['forward'] - 2 * costs['total']['flops'] - replays
        # Correlations of sentence, words and patches.
        assert 0 <= more < 0.01 * replays


@pytest.mark.parametrize('name, instances', [
    ('configs/cris/rn-tiny_shaperef.py', 0),
    ('configs/shared_ris/tiny_shaperef.py', 0),
    ('configs/risclip/vit-tiny_shaperef_stage2.py', 0),
    ('configs/detris/tiny_shaperef.py', 0),
    ('configs/lavt/tiny_shaperef.py', 0),
    ('configs/evf_sam/tiny_shaperef.py', 0),
    ('configs/mail/tiny_shaperef.py', 5),
    ('configs/cm_masksd/vit-small_shaperef_generalised.py', 0),
])
def test_losses_of_every_method_are_counted(name, instances):
    views = dict(joint=(64, 64)) if 'evf_sam' in name else {}
    counted = count_training(build(name), images=2, instances=instances, views=views, shape=(64, 64), tokens=10)
    assert 0 < counted['forward'] and 0 < counted['backward'] <= 2 * counted['forward']


class TestBadInput:

    @pytest.mark.parametrize('changes, message', [
        (dict(images=0), 'images must be at least 1, but got 0'),
        (dict(sentences=0), 'sentences must be at least 1, but got 0'),
        (dict(images=1), 'CRISNeck normalises sentences over the batch: training takes at least 2 expressions'),
        (dict(tokens=0), 'tokens must be at least 1, but got 0'),
        (dict(instances=1), 'The encoder, CLIPEncoder, takes no instance masks: leave instances at 0'),
    ])
    def test_sizes(self, changes, message):
        with pytest.raises(ValueError, match=message):
            count_training(build(), **{'images': 2, **SIZES, **changes})

    def test_a_model_elsewhere(self, tiny_model):
        with pytest.raises(ValueError, match='must be on the meta device alone, but has parameters on cpu: build it'):
            count_training(tiny_model, images=2, **SIZES)

    def test_nothing_is_trained(self):
        model = build(distillation=None, frozen=['encoder', 'neck', 'decoder', 'head'])
        with pytest.raises(ValueError, match='All parameters of the model are frozen, so there is no training step'):
            count_training(model, images=2, **SIZES)
