"""Checkpoints in the layouts of LAVT's published code, and ours."""

import os

import pytest
import torch
from mmengine.config import Config

from mmris.checkpoints import (
    UnreadableCheckpointError,
    compare_checkpoint,
    load_model_weights,
    publish,
    read_checkpoint,
    read_published,
    read_whole,
)
from mmris.checkpoints.files import find_container
from mmris.checkpoints.published import LAVT, KeyMapError, PublishedWeights, lavt
from mmris.checkpoints.published.whole import find_fitting_config
from mmris.registry import MODELS
from tests.checkpoints.loading_runner import runner_of
from tests.checkpoints.published.conversions import converter
from tests.checkpoints.published.lavt_files import WIDTHS, WORDS, entries_of, joined, published, save, toy_config
from tests.conftest import ROOT, assert_same

LAYOUTS = ('lavt', 'lavt_one')


class Marker:
    """Unpickled in the usual way, it leaves a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path, )


@pytest.fixture
def convert(tmp_path, monkeypatch, capsys):
    """Run the command, which knows a toy instead of the released size."""
    toy_config().dump(tmp_path / 'swin-b_refcoco.py')
    monkeypatch.setattr(lavt, 'CONFIGS', (str(tmp_path / 'swin-b_refcoco.py'), ))
    return converter(monkeypatch, capsys, 'lavt')


def build(**options):
    torch.manual_seed(0)
    return MODELS.build(toy_config(**options).model)


def to_ours(weights: dict) -> dict:
    return lavt.KEY_MAP.to_ours(weights, 'test')


class TestThereAndBack:

    @pytest.mark.parametrize('layout', LAYOUTS)
    @pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
    def test_bit_for_bit(self, convert, tmp_path, layout, suffix):
        """With the gate that nothing takes, the biases that cancel, and the indices."""
        theirs, ours, back = tmp_path / 'model_best.pth', tmp_path / f'ours.{suffix}', tmp_path / 'back.pth'
        entries = save(theirs, layout)
        printed = convert(theirs, ours)
        assert 'tensors of LAVT (fit ' in printed and 'swin-b_refcoco.py, or the config of another data' in printed
        assert 'Not converted' not in printed
        for target in LAYOUTS:
            convert(ours, back, '--to', target)
            found = torch.load(back, weights_only=True)
            assert_same(found, entries if target == layout else entries_of(target))
            assert list(found) == list(entries_of(target))
        # What was written is read again, entries that stand apart included.
        convert(back, tmp_path / 'again.pth')
        convert(tmp_path / 'again.pth', tmp_path / 'lavt.pth', '--to', 'lavt')
        convert(tmp_path / 'lavt.pth', tmp_path / 'once.pth', '--to', 'lavt_one')
        assert_same(torch.load(tmp_path / 'once.pth'), entries_of('lavt_one'))

    def test_trained_here(self, convert, tmp_path):
        """What their loader asks for and ours never had is zero; the result is the same."""
        model = build()
        torch.save(dict(state_dict=model.state_dict(), meta=dict(epoch=1)), tmp_path / 'ours.pth')
        convert(tmp_path / 'ours.pth', tmp_path / 'theirs.pth', '--to', 'lavt')
        found = torch.load(tmp_path / 'theirs.pth', weights_only=True)
        for entry, expected in zip(('model', 'bert_model'), published()):
            assert {name: (value.shape, value.dtype) for name, value in found[entry].items()} == {
                name: (value.shape, value.dtype) for name, value in expected.items()}
        for name, value in found['model'].items():
            if '.3.res_gate.' in name or name.endswith(('f_query.0.bias', 'W.0.bias')):
                assert not value.any()
            if name.endswith('relative_position_index'):
                assert torch.equal(value, published()[0][name])
        again = build()
        for value in again.parameters():
            value.data.zero_()
        load_model_weights(again, tmp_path / 'theirs.pth')
        assert_same(dict(again.state_dict()), dict(model.state_dict()))


class TestMap:

    def test_what_goes_where(self):
        weights, ours = joined(), to_ours(joined())
        for stage, width in enumerate(WIDTHS):
            theirs = f'backbone.layers.{stage}.fusion'
            key, value = ours[f'encoder.attentions.{stage}.key_value.weight'].chunk(2)
            assert torch.equal(key, weights[f'{theirs}.image_lang_att.f_key.0.weight'][..., 0])
            assert torch.equal(value, weights[f'{theirs}.image_lang_att.f_value.0.weight'][..., 0])
            assert key.shape == (width, WORDS)
            gathered = ours[f'encoder.attentions.{stage}.gathered.0.weight']
            assert torch.equal(gathered[..., 0], weights[f'{theirs}.image_lang_att.W.0.weight'])
            assert torch.equal(ours[f'encoder.norms.{stage}.bias'], weights[f'backbone.norm{stage}.bias'])
        assert torch.equal(ours['encoder.gates.2.2.weight'][..., 0, 0], weights['backbone.layers.2.res_gate.2.weight'])
        assert 'encoder.gates.3.0.weight' not in ours
        # The deepest level comes first there, and last here.
        assert torch.equal(ours['decoder.blocks.2.0.weight'], weights['classifier.conv1_4.weight'])
        assert torch.equal(ours['decoder.blocks.0.4.running_var'], weights['classifier.bn2_2.running_var'])

    def test_all_of_the_model_and_no_more(self):
        kept = {name: value for name, value in to_ours(joined()).items() if not name.startswith('excluded.')}
        expected = build().state_dict()
        assert {name: value.shape for name, value in kept.items()} == {
            name: value.shape for name, value in expected.items()}

    def test_recognised(self):
        weights, ours = joined(), to_ours(joined())
        assert LAVT.find_layout(weights) is LAVT.layouts[0] and not LAVT.matches_ours(weights)
        assert LAVT.matches_ours(ours) and LAVT.find_layout(ours) is None

    def test_unknown_and_missing_keys(self):
        weights = joined()
        del weights['backbone.layers.1.fusion.image_lang_att.f_key.0.weight']
        with pytest.raises(KeyMapError, match='no rule knows: backbone.extra, classifier.conv3_4.weight; missing '
                           'beside others: backbone.layers.1.fusion.image_lang_att.f_key.0.weight'):
            to_ours({**weights, 'backbone.extra': torch.zeros(1), 'classifier.conv3_4.weight': torch.zeros(1)})

    @pytest.mark.parametrize('name, shape, expected', [
        ('fusion.vis_project.0.weight', (8, 8), r'\(outputs, inputs, 1\) was expected, not \(8, 8\)'),
        ('fusion.image_lang_att.f_key.0.weight', (8, 24, 2), r'\(outputs, inputs, 1\) was expected, not \(8, 24, 2\)'),
        ('res_gate.0.weight', (8, 8, 1), r'\(outputs, inputs\) was expected, not \(8, 8, 1\)'),
    ])
    def test_shapes(self, name, shape, expected):
        with pytest.raises(KeyMapError, match=rf'backbone.layers.0.{name}.*: the shape {expected}'):
            to_ours({**joined(), f'backbone.layers.0.{name}': torch.zeros(shape)})


@pytest.mark.slow
def test_full_size():
    """Weights of the released size find their config, and are as many as their modules' own."""
    with torch.device('meta'):
        state = MODELS.build(Config.fromfile(ROOT / 'configs/lavt/swin-b_refcoco.py').model).state_dict()
    assert find_fitting_config(PublishedWeights(state, {}, 'test'), lavt.CONFIGS) == 'mmris::lavt/swin-b_refcoco.py'
    theirs = lavt.KEY_MAP.to_theirs(state, 'test')
    other = ('_index', 'running_mean', 'running_var', 'num_batches_tracked')
    count = sum(value.numel() for name, value in theirs.items() if not name.endswith(other))
    assert count / 1e6 == pytest.approx(227.74, abs=0.005)
    dead = sum(value.numel() for name, value in theirs.items() if '.3.res_gate.' in name)
    assert dead / 1e6 == pytest.approx(2.10, abs=0.005)
    assert theirs['backbone.layers.3.blocks.0.attn.relative_position_index'].shape == (144, 144)


class TestAsACheckpoint:

    @pytest.mark.parametrize('layout', LAYOUTS)
    def test_a_published_file(self, tmp_path, layout):
        """It stands where a checkpoint does, and none of its objects is made."""
        path, made = tmp_path / 'model_best.pth', tmp_path / 'made'
        save(path, layout, callback=Marker(made))
        model = build()
        load_model_weights(model, path)
        kept = {name: value for name, value in to_ours(joined()).items() if not name.startswith('excluded.')}
        assert_same(dict(model.state_dict()), {name: kept[name] for name in model.state_dict()})
        assert not compare_checkpoint(model, path)
        assert not made.exists()
        torch.load(path, weights_only=False)
        assert made.exists(), 'what is never made would be no proof'

    @pytest.mark.parametrize('whole', [True, False])
    def test_cast_while_read(self, tmp_path, monkeypatch, whole):
        """Both entries, of a file with objects and of one without."""
        monkeypatch.setattr('mmris.checkpoints.files.casting._LARGE', 0)
        weights = save(tmp_path / 'model_best.pth')
        if not whole:
            torch.save(weights, tmp_path / 'model_best.pth')
        content = read_whole(str(tmp_path / 'model_best.pth'), torch.float16)
        expected = {name: value.half() if value.is_floating_point() else value for name, value in joined().items()}
        assert_same(dict(find_container(content)), expected)

    def test_a_training_begins_from_it(self, tmp_path):
        save(tmp_path / 'model_best.pth')
        runner = runner_of(tmp_path, toy_config().model)
        runner.load_checkpoint(str(tmp_path / 'model_best.pth'))
        kept = {name: value for name, value in to_ours(joined()).items() if not name.startswith('excluded.')}
        assert_same({name: runner.model.state_dict()[name] for name in kept}, kept)

    @pytest.mark.parametrize('whole', [True, False])
    def test_it_is_published_with_bert(self, tmp_path, whole):
        weights = save(tmp_path / 'model_best.pth')
        if not whole:
            torch.save(weights, tmp_path / 'model_best.pth')
        [path] = publish(tmp_path / 'model_best.pth', tmp_path / 'out', config='mine', formats=['pth']).files
        assert_same(read_checkpoint(path)['state_dict'], joined())

    def test_among_the_weights(self, tmp_path):
        model, text = published()
        save(tmp_path / 'bad.pth', bert_model={**text, 'embeddings.extra': Marker(tmp_path / 'made')})
        with pytest.raises(UnreadableCheckpointError, match='bad.pth cannot be read as a checkpoint'):
            load_model_weights(build(), tmp_path / 'bad.pth')
        with pytest.raises(UnreadableCheckpointError, match='not tensors: text_encoder.embeddings.extra'):
            read_published(LAVT, str(tmp_path / 'bad.pth'))
        assert not (tmp_path / 'made').exists()

    def test_without_bert(self, tmp_path):
        model, _ = published()
        message = ('weights of LAVT are missing: there is neither an entry `bert_model` beside `model`, nor are there '
                   r'text_encoder.\* in it. Give a file')
        for entries in (dict(model=model), dict(model=model, args=object())):
            torch.save(entries, tmp_path / 'part.pth')
            with pytest.raises(KeyMapError, match=f'part.pth: {message}'):
                load_model_weights(build(), tmp_path / 'part.pth')
            with pytest.raises(KeyMapError, match=message):
                read_published(LAVT, str(tmp_path / 'part.pth'))

    def test_bert_twice(self, tmp_path):
        _, text = published()
        save(tmp_path / 'twice.pth', 'lavt_one', bert_model=text)
        with pytest.raises(UnreadableCheckpointError, match='two weights of the name text_encoder.embeddings.word_embed'
                           '.*, one of them in the entry `bert_model`'):
            read_published(LAVT, str(tmp_path / 'twice.pth'))

    def test_without_the_model(self, tmp_path):
        torch.save(dict(bert_model=published()[1]), tmp_path / 'bert.pth')
        with pytest.raises(UnreadableCheckpointError, match='no LAVT weights by the keys of LAVT or mmris, but embedd'):
            read_published(LAVT, str(tmp_path / 'bert.pth'))

    def test_truncated(self, tmp_path):
        save(tmp_path / 'whole.pth')
        content = (tmp_path / 'whole.pth').read_bytes()
        (tmp_path / 'half.pth').write_bytes(content[:len(content) // 2])
        for read in (read_whole, lambda path: read_published(LAVT, path)):
            with pytest.raises(UnreadableCheckpointError, match='half.pth .*truncated or damaged'):
                read(str(tmp_path / 'half.pth'))

    def test_another_model_with_objects_is_refused(self, tmp_path):
        """By what it asks for, as before."""
        torch.save(dict(model={'conv1.weight': torch.zeros(1)}, args=Marker(tmp_path / 'made')), tmp_path / 'other.pth')
        with pytest.raises(UnreadableCheckpointError, match='holds objects that are not tensors'):
            load_model_weights(build(), tmp_path / 'other.pth')
        assert not (tmp_path / 'made').exists()

    def test_another_size(self, convert, tmp_path):
        save(tmp_path / 'model_best.pth')
        with pytest.raises(RuntimeError, match=r'Of another shape: .*decoder.blocks.0.0.weight \(20, 28, 3, 3\) in the '
                           r'file, \(24, 32, 3, 3\) in the model'):
            load_model_weights(build(channels=24), tmp_path / 'model_best.pth')
        toy_config(words=3).dump(tmp_path / 'swin-b_refcoco.py')
        with pytest.raises(KeyMapError, match='does not fit .*swin-b_refcoco.py. Models of other sizes are not '
                           'converted. .*Missing: encoder.text.layers.2.'):
            convert(tmp_path / 'model_best.pth', tmp_path / 'ours.pth')
