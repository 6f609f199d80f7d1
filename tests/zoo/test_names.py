"""Names of the zoo where files stand."""

import argparse

import pytest
import torch

import mmris
from mmris.apis import Predictor, init_model
from mmris.checkpoints import PUBLISHED, convert, load_model_weights, publish, read_checkpoint, read_published
from mmris.checkpoints.runs import resolve_load_from
from mmris.datasets import WordPieceTokenizer
from mmris.registry import MODELS
from mmris.utils import find_config
from mmris.utils.configs import check_checkpoint, choose_checkpoint, read_config
from mmris.zoo import OtherFile, find_model, find_weights, get_model
from tests.conftest import ROOT, assert_same, tiny_config
from tests.datasets.test_word_piece_tokenizer import write_vocabulary
from tests.zoo.rows import fill_zoo, make_row, put_in_zoo


@pytest.fixture
def zoo(monkeypatch, tmp_path):
    return fill_zoo(monkeypatch, tmp_path)


def weights_of(model: torch.nn.Module) -> dict:
    return {key: value for key, value in model.state_dict().items() if not key.startswith('distillation.')}


class TestList:

    def test_all_and_by_pattern(self):
        names = mmris.list_models()
        assert names == sorted(names) and 'cm-masksd-shaperef' in names
        assert mmris.list_models('*ris*') == [name for name in names if 'ris' in name] != []
        assert mmris.list_models('nothing*') == []

    def test_an_unknown_name_lists_close_ones(self):
        message = "The zoo has no model 'clip-vit-b16'. Did you mean clip-vit-b-16 or clip-vit-l-14"
        with pytest.raises(ValueError, match=message):
            get_model('clip-vit-b16')
        with pytest.raises(ValueError, match="no model 'zzz'. There are beit3-base, .*vilt-b-32. `mmris"):
            get_model('zzz')


class TestPredictor:

    def test_from_pretrained(self, zoo):
        model, _ = zoo
        predictor = Predictor.from_pretrained('small', device='cpu')
        assert_same(weights_of(predictor.model), weights_of(model))
        assert predictor.model.cfg.filename == str(find_config('small'))

    def test_a_model_that_needs_towers_alone(self, zoo):
        predictor = Predictor.from_pretrained('untrained', device='cpu')
        assert predictor.model.cfg.model.encoder.pretrained == 'others'
        published = read_published(PUBLISHED['clip'], 'others').part('text.clip.')
        found = predictor.model.encoder.text.clip.state_dict()
        assert published and all(torch.equal(found[key], value) for key, value in published.items())

    def test_wrong_names(self, zoo):
        with pytest.raises(ValueError, match="The zoo has no model 'smal'. Did you mean small"):
            Predictor.from_pretrained('smal')
        with pytest.raises(ValueError, match='a model, but a whole model is needed here.*pretrained=towers'):
            Predictor.from_pretrained('towers')

    def test_a_name_for_either_argument(self, zoo):
        model, _ = zoo
        for arguments in ((str(ROOT / 'configs/cm_masksd/vit-tiny_shaperef.py'), 'small'), ('small', 'small')):
            assert_same(weights_of(Predictor(*arguments, device='cpu').model), weights_of(model))
        # Never random weights where a name was given.
        assert_same(weights_of(init_model('small', device='cpu')), weights_of(model))


class TestCheckpoint:

    def test_load_from(self, zoo, tmp_path):
        assert resolve_load_from('small') == str(tmp_path / 'package/zoo/weights/small.safetensors')
        with pytest.raises(ValueError, match='towers is towers, the encoder of a model, but a whole model'):
            resolve_load_from('towers')
        with pytest.raises(FileNotFoundError, match="load_from='smal' is neither .* The zoo has small: is that what"):
            resolve_load_from('smal')

    def test_load_model_weights(self, zoo):
        model, _ = zoo
        other = MODELS.build(tiny_config().model)
        load_model_weights(other, 'small')
        assert_same(weights_of(other), weights_of(model))
        with pytest.raises(ValueError, match='untrained has no weights of its own, but needs those of others alone.*'
                           'or write none in place of the checkpoint'):
            load_model_weights(other, 'untrained')
        with pytest.raises(FileNotFoundError, match='There is no checkpoint smal. The zoo has small: is that what you'):
            load_model_weights(other, 'smal')

    def test_publish(self, zoo, tmp_path):
        model, _ = zoo
        file, = publish('small', tmp_path / 'out', config=str(find_config('small')), formats=['pth']).files
        assert_same(dict(read_checkpoint(file)['state_dict']), dict(sorted(weights_of(model).items())))

    def test_a_file_of_that_name_goes_first(self, zoo, tmp_path):
        torch.save(dict(state_dict={}), tmp_path / 'small')
        (tmp_path / 'towers').mkdir()
        assert find_model('small') is None and find_model('other') is not None
        # A folder can hold towers, or a training, and nothing else.
        assert find_model('towers') is not None and find_model('towers', folders=True) is None
        assert find_weights('small') == 'small' == resolve_load_from('small')
        assert str(find_config('small')) == 'small'

    def test_on_a_command_line(self, zoo):
        check_checkpoint('small')
        check_checkpoint(None)
        # What is not here yet is downloaded later.
        check_checkpoint('other')
        check_checkpoint('towers', kind=None, name='weights')
        with pytest.raises(ValueError, match='towers is towers, the encoder of a model, but a whole model'):
            check_checkpoint('towers')
        with pytest.raises(FileNotFoundError, match='There is no weights smal. The zoo has small'):
            check_checkpoint('smal', kind=None, name='weights')


class TestTowers:

    def test_pretrained(self, zoo):
        """The row says the activation, which the file does not."""
        _, towers = zoo
        config = tiny_config()
        config.model.encoder.update(pretrained='towers', quick_gelu=None)
        model = MODELS.build(config.model)
        model.encoder.load_pretrained()
        found = model.encoder.image.state_dict()
        assert all(torch.equal(found[key], value) for key, value in towers.image.state_dict().items())
        assert model.encoder.text.activation.quick

    def test_a_whole_model_is_not_towers(self, zoo):
        config = tiny_config()
        config.model.encoder.pretrained = 'small'
        with pytest.raises(ValueError, match='small is a whole model, but towers for an encoder.*load_from=small'):
            MODELS.build(config.model).encoder.load_pretrained()

    def test_towers_of_another_model(self, zoo):
        with pytest.raises(ValueError, match='towers is not BEiT-3, which is needed here'):
            read_published(PUBLISHED['beit3'], 'towers')

    def test_converting(self, zoo, tmp_path):
        """Of towers, and of a whole model's."""
        for name in ('towers', 'small'):
            conversion = convert(PUBLISHED['clip'], name, str(tmp_path / f'{name}.pth'), 'open_clip')
            assert ('QuickGELU' if name == 'towers' else 'GELU') in conversion.description

    def test_a_config(self, zoo):
        with pytest.raises(ValueError, match='towers is towers, the encoder of a model, but a whole model is needed'):
            find_config('towers')
        assert find_config('untrained').name == 'shaperef_value-path.py'


class TestCommandLine:

    def read(self, **given: object) -> tuple:
        nothing = dict(data_root=None, refs_file=None, image_folder=None, cfg_options=None)
        arguments = argparse.Namespace(**nothing, **given)
        return read_config(arguments), choose_checkpoint(arguments)

    def test_a_model(self, zoo):
        config, checkpoint = self.read(config='small', checkpoint=None)
        assert config.filename.endswith('cm_masksd/vit-tiny_shaperef.py') and checkpoint == 'small'
        assert self.read(config='small', checkpoint='small')[1] == 'small'

    def test_a_model_that_needs_towers_alone(self, zoo):
        """They are those of the zoo, not those that the config names."""
        config, checkpoint = self.read(config='untrained', checkpoint=None)
        assert config.model.encoder.pretrained == 'others' and checkpoint is None

    def test_a_typing_error(self, zoo):
        with pytest.raises(FileNotFoundError, match='There is no model smal. The zoo has small: is that what you'):
            self.read(config='smal', checkpoint=None)
        said = 'There is no model nosuch. `mmris models` lists the names; a folder or hf-hub:user/name also works.$'
        with pytest.raises(FileNotFoundError, match=said):
            self.read(config='nosuch', checkpoint=None)
        with pytest.raises(FileNotFoundError, match='There is no config nosuch.py.$'):
            self.read(config='nosuch.py', checkpoint=None)

    def test_a_folder_of_that_name(self, zoo, tmp_path):
        """It is in nobody's way."""
        (tmp_path / 'small').mkdir()
        assert self.read(config='small', checkpoint='small')[1] == 'small'
        assert Predictor.from_pretrained('small', device='cpu') is not None

    def test_resuming(self, zoo):
        with pytest.raises(FileNotFoundError, match='small of the zoo is weights alone: they can begin a training '
                           r'\(load_from=small\), not continue one'):
            read_checkpoint('small')


def test_a_vocabulary_by_name(monkeypatch, tmp_path):
    monkeypatch.setenv('MMRIS_CACHE', str(tmp_path / 'cache'))
    (tmp_path / 'cache/words').mkdir(parents=True)
    write_vocabulary(tmp_path / 'cache/words/vocab.txt')
    file = OtherFile(address='there', file='vocab.txt')
    put_in_zoo(monkeypatch, make_row('words', file, vocabulary=file), make_row('none', file))
    tokenizer = WordPieceTokenizer(context_length=6, vocabulary='words')
    expected = WordPieceTokenizer(context_length=6, vocabulary=tmp_path / 'cache/words/vocab.txt')
    assert torch.equal(tokenizer(['the red man'])[0], expected(['the red man'])[0])
    with pytest.raises(ValueError, match='none has no vocabulary in the zoo'):
        WordPieceTokenizer(context_length=6, vocabulary='none')
