"""Parameters and multiply-adds, against layers written out by hand."""

import json
from typing import Dict, List, Tuple

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmris.models.encoders import Encoder
from mmris.registry import MODELS
from mmris.structures import EncoderOutput, ImageEmbeddings, ImageFeatures, TextEmbeddings, TextFeatures
from mmris.utils.complexity import count_complexity
from tests.conftest import ROOT, run_command

VIT_B, TINY = 'configs/cm_masksd/vit-b_refcoco.py', 'configs/cm_masksd/vit-tiny_shaperef.py'
MAIL = 'configs/mail/tiny_shaperef.py'
# Places where it is applied, channels in and out, cells of a kernel.
Layer = Tuple[int, int, int, int]


def multiply_adds(layers: List[Layer]) -> int:
    return sum(places * inputs * outputs * kernel for places, inputs, outputs, kernel in layers)


def weights(layers: List[Layer], *, per_output: int) -> int:
    """Their parameters; ``per_output`` is one for a bias, two for a BatchNorm."""
    return sum(inputs * outputs * kernel + per_output * outputs for _, inputs, outputs, kernel in layers)


def attention(queries: int, keys: int, channels: int) -> List[Layer]:
    """The two products of attention, whatever the number of heads: with the keys, and with the values."""
    return [(queries, channels, keys, 1), (queries, keys, channels, 1)]


def transformer_block(tokens: int, channels: int, hidden: int) -> List[Layer]:
    """Query, key, value and output, attention, two linear maps."""
    return [(tokens, channels, channels, 1)] * 4 + attention(tokens, tokens, channels) + [
        (tokens, channels, hidden, 1), (tokens, hidden, channels, 1)]


def neck_layers(cells: Tuple[int, int, int], channels: Tuple[int, int, int]) -> List[Layer]:
    """CRIS's neck on stages of so many cells; each layer has a BatchNorm."""
    shallow, middle, deep = cells
    return [
        (1, 512, 1024, 1),
        (shallow, channels[0], 256, 9),
        (middle, channels[1], 512, 9),
        (deep, channels[2], 1024, 1),
        (middle, 512 + 1024, 512, 1),
        (middle, 256 + 512, 512, 1),
        (middle, 512, 512, 9),
        (middle, 512, 512, 9),
        (deep, 1024, 512, 9),
        (middle, 3 * 512, 512, 1),
        (middle, 512 + 2, 512, 9),
        (middle, 512, 512, 9),
    ]


def decoder_maps(cells: int, words: int) -> List[Layer]:
    """The linear maps of one layer of CRIS's decoder; each has a bias."""
    return [(cells, 512, 512, 1)] * 4 + [(cells, 512, 512, 1)] * 2 + [(words, 512, 512, 1)] * 2 + [
        (cells, 512, 2048, 1), (cells, 2048, 512, 1)]


def decoder_layers(cells: int, words: int) -> List[Layer]:
    return 3 * (decoder_maps(cells, words) + attention(cells, cells, 512) + attention(cells, words, 512))


def head_layers(cells: int) -> Tuple[List[Layer], List[Layer]]:
    """CRIS's head: layers with a BatchNorm; those with a bias."""
    return [(4 * cells, 512, 512, 9), (16 * cells, 512, 256, 9)], [(16 * cells, 256, 256, 1), (1, 512, 256 * 9 + 1, 1)]


def build(config: dict) -> nn.Module:
    with torch.device('meta'):
        return MODELS.build(config)


def read(name: str) -> Config:
    return Config.fromfile(ROOT / name)


def run_tool(*arguments: object) -> None:
    run_command('get_flops', *arguments)


@pytest.fixture(scope='module')
def vit_b() -> Dict[str, dict]:
    init_default_scope('mmris')
    return count_complexity(build(read(VIT_B).model), shape=(576, 576), tokens=17)


class TestViTB:
    """At 576 x 576 pixels and 17 tokens: 36 x 36 patches of 16 x 16."""

    def test_encoder(self, vit_b):
        tokens = 36 * 36 + 1
        image = [(36 * 36, 3, 768, 16 * 16), *12 * transformer_block(tokens, 768, 3072), (tokens, 768, 512, 1)]
        text = [*12 * transformer_block(17, 512, 2048), (17, 512, 512, 1)]
        encoder = vit_b['encoder']
        assert encoder['image'] == dict(flops=multiply_adds(image))
        assert encoder['text'] == dict(flops=multiply_adds(text))
        assert encoder['join'] == dict(flops=0)
        assert encoder['flops'] == multiply_adds(image) + multiply_adds(text)
        # Of the published CLIP ViT-B/16, less its logit scale.
        assert encoder['params'] == 149_620_737 - 1

    def test_stages(self, vit_b):
        cells = 36 * 36
        normed, biased = head_layers(cells)
        # The predicted kernel is applied to the pixels: nine cells of 256 channels.
        flops = dict(
            neck=multiply_adds(neck_layers((cells, cells, cells), (768, 768, 512))),
            decoder=multiply_adds(decoder_layers(cells, 17)),
            head=multiply_adds([*normed, *biased, (16 * cells, 256, 1, 9)]))
        # LayerNorms: five around each layer's parts, one of the hidden width, one at the end.
        norms = 3 * 2 * (5 * 512 + 2048) + 2 * 512
        params = dict(
            neck=weights(neck_layers((1, 1, 1), (768, 768, 512)), per_output=2) + 2 * 1024,
            decoder=3 * weights(decoder_maps(1, 1), per_output=1) + norms,
            head=weights(normed, per_output=2) + weights(biased, per_output=1))
        for name in ('neck', 'decoder', 'head'):
            assert vit_b[name] == dict(params=params[name], trained=params[name], flops=flops[name])
        assert round(vit_b['neck']['params'] / 1e6, 2) == 22.50

    def test_known_figures(self, vit_b):
        """In billions of multiply-adds: of image, text, neck, decoder and head, and their sum."""
        encoder = vit_b['encoder']
        parts = [encoder['image'], encoder['text'], vit_b['neck'], vit_b['decoder'], vit_b['head'], vit_b['total']]
        known = [142.4, 0.65, 28.5, 19.5, 38.1, 229.2]
        assert [part['flops'] / 1e9 for part in parts] == pytest.approx(known, rel=0.01)

    def test_total_is_of_the_stages(self, vit_b):
        assert list(vit_b) == ['encoder', 'neck', 'decoder', 'head', 'total', 'distillation']
        for key in ('params', 'trained', 'flops'):
            assert vit_b['total'][key] == sum(vit_b[name][key] for name in ('encoder', 'neck', 'decoder', 'head'))

    def test_what_is_done_once_an_image(self, vit_b):
        """The image's tower, and three convolutions of the neck that do not see the sentence."""
        cells = 36 * 36
        total, alone = vit_b['total'], [(cells, 768, 256, 9), (cells, 768, 512, 9), (cells, 512, 1024, 1)]
        assert total['image']['flops'] == vit_b['encoder']['image']['flops'] + multiply_adds(alone)
        assert total['image']['flops'] + total['sentence']['flops'] == total['flops']
        # At RefCOCO's 7.2 sentences an image, over each with an image of its own.
        together = total['flops'] + 6.2 * total['sentence']['flops']
        assert 7.2 * total['flops'] / together == pytest.approx(2.29, abs=0.005)


def test_rn101():
    """Stages of 52 x 52, 26 x 26 and 13 x 13 cells; each projection of the neck on its own."""
    costs = count_complexity(build(read('configs/cris/rn101_refcoco.py').model), shape=(416, 416), tokens=17)
    layers = neck_layers((52 * 52, 26 * 26, 13 * 13), (512, 1024, 512))
    assert costs['neck']['params'] == weights(layers, per_output=2) + 2 * 1024
    assert costs['neck']['flops'] == multiply_adds(layers)
    assert round(costs['neck']['params'] / 1e6, 2) == 23.09
    assert costs['decoder']['flops'] == multiply_adds(decoder_layers(26 * 26, 17))
    assert 'distillation' not in costs


def test_distillation_is_apart():
    """Branches with copies of neck, decoder and head cost nothing in evaluation."""
    shape = dict(shape=(480, 480), tokens=17)
    both = count_complexity(build(read('configs/cm_masksd/ablations/both.py').model), **shape)
    own = both.pop('distillation')
    assert both == count_complexity(build(read('configs/cm_masksd/ablations/baseline.py').model), **shape)
    # And a mask token of a patch's, and of a word's width.
    params = 2 * sum(both[name]['params'] for name in ('neck', 'decoder', 'head')) + 768 + 512
    assert own == dict(params=params, trained=params)


class JointEncoder(Encoder):
    """One transformer over patches and words together, by modules that have a fused path in evaluation."""

    cell_channels = word_channels = 32

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 8, stride=8)
        self.words = nn.Embedding(100, 32)
        self.block = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)

    def embed_image(self, images):
        return ImageEmbeddings(cells=self.patches(images.pixels), inside=images.box)

    def embed_text(self, expressions):
        return TextEmbeddings(words=self.words(expressions.token_ids), token_mask=expressions.token_mask)

    def encode_image(self, embeddings):
        return embeddings

    def encode_text(self, embeddings):
        return embeddings

    def join(self, image, text, image_index):
        cells = image.cells.index_select(0, image_index)
        tokens = torch.cat((cells.flatten(2).transpose(1, 2), text.words), dim=1)
        tokens = self.block(tokens, src_key_padding_mask=torch.zeros(tokens.shape[:2], dtype=torch.bool))
        tokens, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        patches, words = tokens.split((cells[0, 0].numel(), text.words.size(1)), dim=1)
        joined = patches.transpose(1, 2).unflatten(2, cells.shape[-2:])
        return EncoderOutput(
            image=ImageFeatures(stages=(joined, ) * 3, patches=patches, image_global=patches[:, 0]),
            text=TextFeatures(words=words, words_joint=words, sentence=words[:, 0], token_mask=text.token_mask),
            image_index=torch.arange(len(image_index)))


def test_a_joint_encoder_shows_where_its_cost_lies():
    """On 8 x 4 patches and 5 words; neck, decoder and head are those of the demo, narrowed."""
    model = read(TINY).model
    model.pop('distillation')
    model.encoder = dict(type=JointEncoder)
    model.neck.update(in_channels=(32, 32, 32), sentence_channels=32)
    model.decoder.word_channels = model.head.sentence_channels = 32
    costs = count_complexity(build(model), shape=(64, 32), tokens=5)
    joint = transformer_block(37, 32, 64) + [(37, 32, 32, 1)] * 4 + attention(37, 37, 32)
    expected = dict(image=multiply_adds([(32, 3, 32, 64)]), text=0, join=multiply_adds(joint))
    assert {name: costs['encoder'][name]['flops'] for name in expected} == expected
    assert costs['encoder']['flops'] == sum(expected.values())


class TestInstanceMasks:
    """Of MaIL at the size of the demo: 8 x 8 patches of 8 x 8 pixels, 16 words, K instances."""

    def count(self, instances: int) -> Dict[str, dict]:
        return count_complexity(build(read(MAIL).model), shape=(64, 64), tokens=16, instances=instances)

    @pytest.mark.parametrize('instances', [0, 5])
    def test_each_is_a_token(self, instances):
        costs = self.count(instances)['encoder']
        # Each is a mean of the patches, and its place a map of five numbers.
        image = [(64, 3, 64, 64), (instances, 64, 64, 1), (instances, 5, 64, 1)]
        joint = 4 * transformer_block(instances + 1 + 64 + 16, 64, 256)
        assert costs['image'] == dict(flops=multiply_adds(image))
        assert costs['join'] == dict(flops=multiply_adds(joint))

    def test_they_are_embedded_once_an_image(self):
        costs = self.count(5)
        assert costs['total']['image'] == costs['encoder']['image']

    def test_tool(self, tmp_path, capsys):
        out = tmp_path / 'costs.json'
        run_tool(ROOT / MAIL, '--instances', 5, '--out', out)
        assert json.loads(out.read_text()) == self.count(5)
        run_tool(ROOT / MAIL)
        run_tool(ROOT / TINY)
        printed = capsys.readouterr().out
        assert 'tiny_shaperef, 64 x 64 pixels, 16 tokens, 5 instance masks\n' in printed
        assert 'tiny_shaperef, 64 x 64 pixels, 16 tokens, 0 instance masks\n' in printed
        assert 'vit-tiny_shaperef, 64 x 64 pixels, 16 tokens\n' in printed

    def test_bad_numbers(self):
        with pytest.raises(ValueError, match='instances must not be negative, but got -1'):
            self.count(-1)
        with pytest.raises(ValueError, match='The encoder, CLIPEncoder, takes no instance masks: leave instances at 0'):
            count_complexity(build(read(TINY).model), shape=(64, 64), tokens=16, instances=1)


class TestBadInput:

    @pytest.mark.parametrize('shape, tokens, message', [
        ((0, 64), 16, 'shape must be a height and a width of at least 1 pixel, but got \\(0, 64\\)'),
        ((64, ), 16, 'shape must be a height and a width of at least 1 pixel, but got \\(64,\\)'),
        ((64, 64), 0, 'tokens must be at least 1, but got 0'),
        ((64, 60), 16, 'The input is 64 x 60 pixels .* must be a multiple of .*8 x 8'),
        ((64, 64), 33, 'Sentences have 33 tokens, but the text tower has 32 positions'),
    ])
    def test_sizes(self, shape, tokens, message):
        with pytest.raises(ValueError, match=message):
            count_complexity(build(read(TINY).model), shape=shape, tokens=tokens)

    def test_a_model_elsewhere(self, tiny_model):
        with pytest.raises(ValueError, match='must be on the meta device alone, but has parameters on cpu: build it'):
            count_complexity(tiny_model, shape=(64, 64), tokens=16)


class TestTool:

    def test_input_of_the_pipeline(self, tmp_path, capsys):
        """By default that of the config's test pipeline, whatever its type of step."""
        out, model = tmp_path / 'costs.json', build(read(TINY).model)
        run_tool(ROOT / TINY, '--out', out)
        assert json.loads(out.read_text()) == count_complexity(model, shape=(64, 64), tokens=16)
        assert capsys.readouterr().out.startswith('vit-tiny_shaperef, 64 x 64 pixels, 16 tokens\n')
        view = 'inputs.views.main'
        run_tool(ROOT / TINY, '--out', out, '--cfg-options', f'{view}.type=mmris.Resize', f'{view}.size=(32,96)',
                 'inputs.tokenizer.context_length=9')
        assert json.loads(out.read_text()) == count_complexity(model, shape=(32, 96), tokens=9)

    def test_a_tokenizer_that_pads_to_the_longest(self, capsys):
        """A usual sentence, not the most tokens that there may be."""
        run_tool(ROOT / TINY, '--cfg-options', 'inputs.tokenizer.pad_to_longest=True')
        assert capsys.readouterr().out.startswith('vit-tiny_shaperef, 64 x 64 pixels, 10 tokens\n')

    def test_input_given(self, tmp_path, capsys):
        out = tmp_path / 'costs.json'
        run_tool(ROOT / TINY, '--shape', 96, 32, '--tokens', 11, '--out', out)
        costs = json.loads(out.read_text())
        assert costs == count_complexity(build(read(TINY).model), shape=(96, 32), tokens=11)
        printed = capsys.readouterr().out
        assert printed.startswith('vit-tiny_shaperef, 96 x 32 pixels, 11 tokens\n')
        rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in printed.splitlines()[2:]]
        assert rows[0] == ['stage', 'parameters, M', 'trained, M', 'multiply-adds, G']
        text, total = costs['encoder']['text']['flops'] / 1e9, costs['total']
        assert ['- text', '', '', f'{text:.2f}'] in rows
        for name, part in (('once an image', 'image'), ('once a sentence', 'sentence')):
            assert [f'- {name}', '', '', f'{total[part]["flops"] / 1e9:.2f}'] in rows
        params = f'{total["params"] / 1e6:.2f}'
        assert ['total', params, params, f'{total["flops"] / 1e9:.2f}'] in rows
        assert rows[-1][::3] == ['distillation', 'in training only']

    def test_a_model_alone_needs_an_input(self, tmp_path):
        path = ROOT / 'configs/_base_/models/clip_vit-tiny_cris.py'
        with pytest.raises(ValueError, match='test pipeline of the config does not say it: give --shape HEIGHT WIDTH'):
            run_tool(path, '--tokens', 16)
        with pytest.raises(ValueError, match='does not say it: give --tokens NUMBER'):
            run_tool(path, '--shape', 64, 64)
        run_tool(path, '--shape', 64, 64, '--tokens', 16, '--out', tmp_path / 'costs.json')
        assert 'total' in json.loads((tmp_path / 'costs.json').read_text())

    def test_below_one(self):
        with pytest.raises(ValueError, match='tokens must be at least 1, but got 0'):
            run_tool(ROOT / TINY, '--tokens', 0)
        with pytest.raises(ValueError, match='at least 1 pixel, but got'):
            run_tool(ROOT / TINY, '--shape', 0, 64)
