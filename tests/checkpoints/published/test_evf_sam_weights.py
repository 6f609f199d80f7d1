"""EVF-SAM's published files: read in every form, and written back."""

import argparse
import logging
import re
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch
from mmengine.config import Config

import mmris.zoo.names
from mmris.apis import Predictor, init_model
from mmris.checkpoints import UnreadableCheckpointError, load_model_weights, read_checkpoint, read_published
from mmris.checkpoints.misfits import find_misfits
from mmris.checkpoints.published import EVF_SAM, KeyMapError, Layout, evf_sam
from mmris.registry import MODELS
from mmris.utils.configs import read_config
from mmris.utils.pretrained import forget_pretrained
from mmris.zoo import MODELS as ZOO
from tests.checkpoints.published.conversions import converter
from tests.checkpoints.published.evf_sam_files import (
    released,
    released_full_size,
    released_full_size_sam2,
    safetensors_bytes,
    toy_config,
    write_folder,
)
from tests.conftest import ROOT, assert_same

PHOTOGRAPH = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
SENTENCES = ['the red bus', 'Woman in a blue shirt, left of the bus']


@pytest.fixture(scope='module', params=['evf-sam', 'evf-sam2'])
def name(request) -> str:
    return request.param


@pytest.fixture(scope='module')
def folder(tmp_path_factory, name):
    return tmp_path_factory.mktemp(name)


@pytest.fixture(scope='module')
def config(folder, name) -> Config:
    return toy_config(folder, name)


@pytest.fixture(scope='module')
def weights(config) -> dict:
    return released(config)


@pytest.fixture(scope='module')
def layout(name) -> Layout:
    return EVF_SAM.layouts[name == 'evf-sam2']


@pytest.fixture(scope='module')
def folders(folder, name, weights) -> dict:
    return dict(
        one=write_folder(folder / 'one', weights, name), shards=write_folder(folder / 'shards', weights, name, 3),
        multitask=write_folder(folder / 'multitask', weights, f'{name}-multitask'))


@pytest.fixture
def small_zoo(monkeypatch, folder, name, config):
    """The zoo's rows of EVF-SAM with the toy's configs."""
    names = (name, f'{name}-multitask')
    toy_config(folder, names[1])
    monkeypatch.setattr(evf_sam, 'CONFIGS', (str(folder / f'{name}.py'), ))
    rows = [replace(row, config=str(folder / f'{row.name}.py')) for row in ZOO if row.name in names]
    monkeypatch.setattr(mmris.zoo.names, 'MODELS', tuple(rows))


class TestFullSize:

    @pytest.mark.parametrize('theirs, key_map, model', [
        (released_full_size, EVF_SAM.layouts[0].key_map, 'evf-sam'),
        (released_full_size_sam2, EVF_SAM.layouts[1].key_map, 'evf-sam2'),
    ], ids=['SAM', 'SAM 2'])
    def test_names_and_shapes(self, theirs, key_map, model):
        theirs = theirs()
        ours = key_map.to_ours(theirs, 'test')
        back = key_map.to_theirs(ours, 'test')
        assert {key: value.shape for key, value in back.items()} == {key: value.shape for key, value in theirs.items()}
        with torch.device('meta'):
            built = MODELS.build(Config.fromfile(ROOT / f'configs/evf_sam/{model}.py').model)
        kept = {key: value for key, value in ours.items() if not key.startswith('excluded.')}
        assert not find_misfits(built.state_dict(), kept)
        # What is excluded has rules of its own: none of it is unknown.
        templates = [template for rule in key_map.rules for template in rule.ours]
        assert not key_map._set_unknown_apart(dict(ours), templates, 'excluded.')

    def test_they_are_as_large_as_published(self):
        theirs = released_full_size()
        assert len(theirs) == 1569
        assert sum(2 * value.numel() for value in theirs.values()) / 1e9 == pytest.approx(2.63, abs=0.005)
        # To the last byte, which the names are part of.
        with_sam2 = released_full_size_sam2()
        assert len(with_sam2) == 1875 and safetensors_bytes(with_sam2) == 3145168996

    def test_how_large_a_file_is(self, tmp_path, weights):
        state = {key: value.contiguous() for key, value in weights.items()}
        safetensors.torch.save_file(state, tmp_path / 'weights', metadata=dict(format='pt'))
        assert (tmp_path / 'weights').stat().st_size == safetensors_bytes(state)


class TestForms:
    """A folder, a file, several files, a name and a repository all give the same model."""

    @pytest.fixture(scope='class')
    def expected(self, config, weights, layout):
        """A model that was given the weights by hand."""
        model = MODELS.build(config.model)
        ours = layout.key_map.to_ours(weights, 'test')
        model.load_state_dict({key: value.float() for key, value in ours.items() if not key.startswith('excluded.')})
        return model.eval()

    @pytest.mark.parametrize('form', [
        'one', 'one/pytorch_model.bin', 'shards', 'shards/model.safetensors.index.json', 'multitask'])
    def test_as_a_checkpoint(self, small_zoo, config, folder, folders, expected, form):
        model = init_model(Config(config.to_dict()), folder / form, 'cpu')
        assert_same(dict(model.state_dict()), dict(expected.state_dict()))
        assert not any(parameter.is_meta for parameter in model.parameters())

    @pytest.mark.parametrize('form', ['one', 'shards', 'multitask'])
    def test_by_itself(self, small_zoo, folders, form):
        predictor = Predictor.from_pretrained(str(folders[form]), device='cpu')
        predictor.set_image(PHOTOGRAPH)
        assert np.isfinite(predictor.predict(SENTENCES).probabilities).all()
        plain, marked = predictor.read_words(['bus', '[semantic] bus'])
        assert (marked.tokens == plain.tokens + 1) == (form == 'multitask')

    def test_by_name_and_repository(self, small_zoo, monkeypatch, tmp_path, name, weights, folders):
        """The files lie where a user put them."""
        placed = tmp_path / name
        write_folder(placed, weights, name)
        monkeypatch.setattr(mmris.zoo.names, 'MODELS', tuple(
            replace(row, weights=replace(row.weights, file='pytorch_model.bin', size=None))
            for row in mmris.zoo.names.MODELS))
        monkeypatch.setenv('MMRIS_CACHE', str(tmp_path))
        by_name, by_repository, by_folder = (
            Predictor.from_pretrained(one, device='cpu') for one in (name, f'YxZhang/{name}', str(folders['one'])))
        found = []
        for predictor in (by_name, by_repository, by_folder):
            predictor.set_image(PHOTOGRAPH)
            found.append(predictor.predict(SENTENCES).probabilities)
        assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])

    @pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
    def test_in_half_precision(self, small_zoo, folders, dtype):
        predictor = Predictor.from_pretrained(str(folders['one']), device='cpu', dtype=dtype)
        weights = {name: value.dtype for name, value in predictor.model.named_parameters()}
        assert set(weights.values()) == {getattr(torch, dtype)}
        # Positions are not rounded.
        assert predictor.model.head.positions.directions.dtype == torch.float32
        predictor.set_image(PHOTOGRAPH)
        assert np.isfinite(predictor.predict(SENTENCES).probabilities).all()


class TestConfigs:
    """What a config says beside the weights."""

    def test_another_config_is_named(self, small_zoo, monkeypatch, name, config, folders):
        messages = []
        monkeypatch.setattr('mmris.apis.model.print_log', lambda message, logger, level: messages.append(message))
        init_model(Config(config.to_dict()), folders['one'], 'cpu')
        assert not messages
        init_model(Config(config.to_dict()), folders['multitask'], 'cpu')
        [message] = messages
        assert message.startswith(f'{folders["multitask"]} is {name}-multitask, whose config is ')
        assert 'inputs.tokenizer.semantic_token is None instead of True' in message
        assert ("model.head.mask is 'stable' instead of 'best'" in message) == (name == 'evf-sam2')

    def test_a_training_that_begins_from_it_needs_nothing_else(self, small_zoo, monkeypatch, name, config, tmp_path):
        """Neither SAM's file nor BEiT-3's, nor a vocabulary of its own."""
        for part in (config.model.encoder.segmenter, config.model.encoder.joint, config.model.neck, config.model.head):
            part.pretrained = 'data/not_there.pth'
        config.dump(str(tmp_path / 'training.py'))
        options = argparse.Namespace(
            config=str(tmp_path / 'training.py'), data_root=None, refs_file=None, image_folder=None, cfg_options=None)
        assert read_config(options).model.neck.pretrained == 'data/not_there.pth'
        options.cfg_options = [f'load_from={name}-multitask']
        found = read_config(options)
        assert found.model.neck.pretrained is found.model.encoder.joint.pretrained is None
        assert found.inputs.tokenizer.vocabulary == f'{name}-multitask'
        forget_pretrained(config.model)

    @pytest.mark.parametrize('dtype', ['half', 'float64', 'int8', 'none', torch.float64])
    def test_a_type_that_weights_cannot_have(self, config, folders, dtype):
        with pytest.raises(ValueError, match='dtype must be one of float32, float16, bfloat16, but got '):
            init_model(Config(config.to_dict()), folders['one'], 'cpu', dtype)

    def test_something_else_in_the_configs_place(self, folders, tmp_path):
        with pytest.raises(ValueError, match='pytorch_model.bin is no config, which ends with .py. Give a config'):
            init_model(folders['one'] / 'pytorch_model.bin', device='cpu')
        with pytest.raises(FileNotFoundError, match=f'{tmp_path} is not a published model: it has no config.json.*A '
                           'folder of EVF-SAM has a config.json with sam_scale and mm_extractor_scale'):
            init_model(tmp_path, device='cpu')


class TestConverting:

    @pytest.mark.parametrize('suffix', ['bin', 'safetensors', 'pth'])
    @pytest.mark.parametrize('form', ['one', 'shards'])
    def test_there_and_back(self, small_zoo, monkeypatch, capsys, weights, name, folders, tmp_path, form, suffix):
        """Bit for bit, in their types of numbers; also a file that mixes them."""
        convert_toy = converter(monkeypatch, capsys, 'evf_sam')
        printed = convert_toy(folders[form], tmp_path / 'ours.safetensors')
        assert re.search(r'tensors of EVF-SAM \(fit .*evf-sam2?\.py\)', printed) and 'Not converted' not in printed
        convert_toy(tmp_path / 'ours.safetensors', tmp_path / f'back.{suffix}', '--to', name.replace('-', '_'))
        found = read_checkpoint(tmp_path / f'back.{suffix}')
        assert_same(dict(sorted(found.get('state_dict', found).items())), dict(sorted(weights.items())))

    def test_unknown_keys_are_kept(self, small_zoo, monkeypatch, capsys, name, config, layout, weights, tmp_path):
        strange = {**weights, 'visual_model.recall.weight': torch.ones(2), 'logit_bias': torch.ones(1)}
        torch.save(strange, tmp_path / 'pytorch_model.bin')
        messages = []
        monkeypatch.setattr('mmris.checkpoints.published.key_map.print_log',
                            lambda message, logger, level: messages.append((message, level)))
        convert_toy = converter(monkeypatch, capsys, 'evf_sam')
        convert_toy(tmp_path / 'pytorch_model.bin', tmp_path / 'ours.pth')
        convert_toy(tmp_path / 'ours.pth', tmp_path / 'back.bin', '--to', name.replace('-', '_'))
        assert_same(dict(sorted(read_checkpoint(tmp_path / 'back.bin').items())), dict(sorted(strange.items())))
        [(message, level)] = messages
        assert level == logging.WARNING
        assert message == (
            f'{tmp_path}/pytorch_model.bin: no rule of {layout.key_map.name}\'s layout knows logit_bias, '
            f'visual_model.recall.weight. These weights are not used, but kept for the way back.')
        # A model takes the file, too.
        model = MODELS.build(config.model)
        load_model_weights(model, tmp_path / 'pytorch_model.bin')

    def test_a_training_of_ours(self, small_zoo, monkeypatch, capsys, name, config, tmp_path):
        """It has no mask token, which their code asks for."""
        torch.save(dict(state_dict=MODELS.build(config.model).state_dict()), tmp_path / 'epoch_1.pth')
        convert_toy = converter(monkeypatch, capsys, 'evf_sam')
        convert_toy(tmp_path / 'epoch_1.pth', tmp_path / 'theirs.bin', '--to', name.replace('-', '_'))
        theirs = read_checkpoint(tmp_path / 'theirs.bin')
        assert not theirs['mm_extractor.beit3.vision_embed.mask_token'].any()


class TestFaults:

    def test_missing_keys(self, small_zoo, monkeypatch, capsys, config, weights, tmp_path):
        [token] = [key for key in weights if key.endswith('iou_token.weight')]
        lost = (token, 'text_hidden_fcs.0.2.bias')
        torch.save({key: value for key, value in weights.items() if key not in lost}, tmp_path / 'part.bin')
        with pytest.raises(RuntimeError, match=r'part.bin does not fit the model of the config. Missing: '
                           r'neck.projection.2.bias, head.quality_token. Left over: none'):
            init_model(Config(config.to_dict()), tmp_path / 'part.bin', 'cpu')
        with pytest.raises(KeyMapError, match='Missing: neck.projection.2.bias, head.quality_token. Left over: none'):
            converter(monkeypatch, capsys, 'evf_sam')(tmp_path / 'part.bin', tmp_path / 'ours.pth')

    def test_a_missing_shard(self, config, weights, tmp_path):
        write_folder(tmp_path, weights, shards=3)
        (tmp_path / 'model-00002-of-00003.safetensors').unlink()
        for form in (tmp_path, tmp_path / 'model.safetensors.index.json'):
            with pytest.raises(FileNotFoundError, match='index.json says that the weights lie in 3 files beside it, but'
                               ' these are missing: model-00002-of-00003.safetensors. Fetch them too.'):
                init_model(Config(config.to_dict()), form, 'cpu')

    def test_a_shard_alone(self, config, folders):
        with pytest.raises(UnreadableCheckpointError, match='model-00001-of-00003.safetensors has one of 3 parts of the'
                           ' weights. Give the folder, or the index model.safetensors.index.json'):
            init_model(Config(config.to_dict()), folders['shards'] / 'model-00001-of-00003.safetensors', 'cpu')

    def test_a_truncated_shard(self, config, weights, tmp_path):
        write_folder(tmp_path, weights, shards=2)
        path = tmp_path / 'model-00002-of-00002.safetensors'
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(UnreadableCheckpointError, match='00002-of-00002.safetensors cannot be read as a checkpoint'
                           ': it is a safetensors file that is truncated'):
            init_model(Config(config.to_dict()), tmp_path, 'cpu')

    @pytest.mark.parametrize('content, message', [
        ('{"weight_map": {"a": "../b.safetensors"}}', "it is an index that names '../b.safetensors'"),
        ('{"weight_map": {}}', "it is an index that names 'no files'"),
        ('{"weights": 1}', 'it is JSON text, but no index'),
        ('{', 'it is JSON text, but no index'),
    ])
    def test_a_wrong_index(self, tmp_path, content, message):
        (tmp_path / 'model.safetensors.index.json').write_text(content)
        with pytest.raises(UnreadableCheckpointError, match=message):
            read_checkpoint(tmp_path)

    def test_shards_with_the_same_weights(self, weights, tmp_path):
        write_folder(tmp_path, weights, shards=2)
        first, second = (tmp_path / f'model-0000{number}-of-00002.safetensors' for number in (1, 2))
        second.write_bytes(first.read_bytes())
        with pytest.raises(UnreadableCheckpointError, match='is an index of files that have the same weights: .*00002-'
                           'of-00002.safetensors has .*, as one before it.'):
            read_checkpoint(tmp_path)

    def test_no_vocabulary(self, small_zoo, name, weights, tmp_path):
        write_folder(tmp_path, weights, name)
        (tmp_path / 'sentencepiece.bpe.model').unlink()
        with pytest.raises(FileNotFoundError, match=f'{tmp_path}/sentencepiece.bpe.model, the vocabulary of '
                           f'{tmp_path}, is missing. Fetch it from https://huggingface.co/YxZhang/{name}/resolve/main/'):
            Predictor.from_pretrained(str(tmp_path), device='cpu')

    def test_no_weights(self, small_zoo, name, weights, tmp_path):
        write_folder(tmp_path, weights, name)
        (tmp_path / 'pytorch_model.bin').unlink()
        with pytest.raises(FileNotFoundError, match='is a folder without weights: none of open_clip_.*, '
                           'model.safetensors, model.safetensors.index.json'):
            Predictor.from_pretrained(str(tmp_path), device='cpu')

    def test_a_folder_of_something_else(self, small_zoo, tmp_path):
        (tmp_path / 'config.json').write_text('{"architectures": ["BertModel"]}')
        with pytest.raises(ValueError, match='is not a published model: library_name in its config.json is None'):
            Predictor.from_pretrained(str(tmp_path), device='cpu')

    def test_weights_of_another_model(self, config, weights, tmp_path):
        """SAM alone, in a file of that name."""
        sam = {key.removeprefix('visual_model.'): value for key, value in weights.items() if 'visual_model' in key}
        sam = {key: value.contiguous() for key, value in sam.items()}
        safetensors.torch.save_file(sam, tmp_path / 'model.safetensors')
        with pytest.raises(RuntimeError, match='does not fit the model of the config. Missing: '):
            init_model(Config(config.to_dict()), tmp_path, 'cpu')
        with pytest.raises(UnreadableCheckpointError, match='it holds no EVF-SAM weights by the keys of EVF-SAM'):
            read_published(EVF_SAM, str(tmp_path / 'model.safetensors'))
