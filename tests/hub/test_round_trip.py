"""What is published predicts as the model that it was made of, to the last bit."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from safetensors.torch import load_file, save_file

from mmris.apis import Predictor, init_model
from mmris.apis.inferencer import ReferringInferencer
from mmris.datasets.pipelines import resolve_pipelines
from mmris.hub.model_card import CardFacts
from mmris.hub.reading import open_published
from mmris.hub.writing import check_goal, describe, prepare, write_published
from tests.conftest import ROOT, tiny_config
from tests.datasets.test_beit3_tokenizer import write_vocabulary as write_beit3
from tests.datasets.test_word_piece_tokenizer import write_vocabulary as write_pieces
from tests.hub.published import ORIGIN, SENTENCES, photograph, publish_random, save_random
from tests.test_configs import shrink, shrink_existence

METHODS = ['cm_masksd/vit-b_refcoco.py', 'cm_masksd/swin-b_refcoco.py', 'cm_masksd/eva02-b_refcoco.py',
           'cm_masksd/beit3-b_refcoco.py', 'cm_masksd/vit-small_shaperef_generalised.py', 'cris/rn50_refcoco.py',
           'cris/rn101_grefcoco.py', 'risclip/vit-b_refcoco_stage2.py', 'detris/vit-b_refcoco.py',
           'lavt/swin-b_refcoco.py', 'shared_ris/beit3-b_refcoco.py', 'mail/vilt-b_refcoco.py', 'evf_sam/evf-sam.py',
           'evf_sam/evf-sam2-multitask.py', 'evf_sam/tiny_shaperef.py']


def ask(predictor: Predictor):
    """What a predictor answers about the photograph, with two instances on it if it takes such."""
    found = np.zeros((2, 50, 70), dtype=np.uint8)
    found[0, 5:20, 5:20] = found[1, 10:40, 30:60] = 1
    predictor.set_image(photograph(), found if predictor.takes_instance_masks else None)
    return predictor.predict(SENTENCES)


def check_same(config: Config, folder: Path) -> Predictor:
    """Publish and read again."""
    publish_random(folder, config)
    before = Predictor(config, folder.with_suffix('.pth'), device='cpu')
    after = Predictor.from_pretrained(folder, device='cpu')
    one, other = ask(before), ask(after)
    assert np.array_equal(one.probabilities, other.probabilities)
    assert (one.existence is None) == (other.existence is None)
    assert one.existence is None or np.array_equal(one.existence, other.existence)
    assert before.protocol == after.protocol and before.existence_threshold == after.existence_threshold
    assert before.takes_instance_masks == after.takes_instance_masks
    return after


@pytest.mark.parametrize('name', METHODS)
def test_each_method(name, tmp_path):
    config = shrink(Config.fromfile(ROOT / 'configs' / name))
    shrink_existence(config)
    after = check_same(config, tmp_path / 'model')
    model = after.model.cfg.model
    assert not {'losses', 'auxiliary_losses', 'distillation', 'target_resize'} & set(model)
    assert not any(key.startswith(('distillation.', 'losses.')) for key in after.model.state_dict())


class TestTokenizers:

    def check(self, tokenizer: dict, words: int, tmp_path: Path) -> Path:
        config = tiny_config()
        config.inputs.tokenizer = dict(tokenizer, context_length=9)
        config.model.encoder.architecture.text_cfg.update(vocab_size=words, context_length=9)
        resolve_pipelines(config)
        check_same(config, tmp_path / 'model')
        return tmp_path / 'model'

    def test_clip(self, tmp_path):
        folder = self.check(dict(type='CLIPTokenizer'), 49408, tmp_path)
        assert {path.name for path in folder.iterdir()} == {'config.json', 'model.safetensors', 'README.md'}

    def test_words_of_the_package(self, tmp_path):
        folder = self.check(dict(type='WordTokenizer', vocabulary='shaperef_full'), 72, tmp_path)
        assert (folder / 'words.txt').read_text() == (
            ROOT / 'mmris/datasets/vocabularies/shaperef_full.txt').read_text()

    def test_words_of_the_publisher(self, tmp_path):
        own = tmp_path / 'mine.txt'
        own.write_text('[PAD]\n[UNK]\n[BEGIN]\n[END]\nred\ncircle\nstar\nleft\n')
        folder = self.check(dict(type='WordTokenizer', vocabulary=str(own)), 8, tmp_path)
        own.unlink()
        assert Predictor.from_pretrained(folder, device='cpu').read_words('red bird')[0].words == 'red [UNK]'
        # A path of the publisher's is nobody's business.
        assert str(tmp_path) not in (folder / 'config.json').read_text()

    def test_word_pieces(self, tmp_path):
        write_pieces(tmp_path / 'vocabulary.txt')
        tokenizer = dict(type='WordPieceTokenizer', vocabulary=str(tmp_path / 'vocabulary.txt'), keep_end=False)
        folder = self.check(tokenizer, 30522, tmp_path)
        assert (folder / 'vocab.txt').is_file()
        assert open_published(folder).content['inputs']['tokenizer']['keep_end'] is False

    def test_sentence_pieces(self, tmp_path):
        write_beit3(tmp_path / 'given.spm')
        tokenizer = dict(type='BEiT3Tokenizer', vocabulary=str(tmp_path / 'given.spm'))
        assert (self.check(tokenizer, 64010, tmp_path) / 'beit3.spm').is_file()


class TestConfigs:

    def test_a_pipeline_of_its_own(self, tmp_path):
        """Of a config without inputs; loading and packing are left out."""
        config = tiny_config()
        config.inputs = None
        config.pop('resolved_from')
        check_same(config, tmp_path / 'model')
        content = open_published(tmp_path / 'model').content
        assert [step['type'] for step in content['pipeline']] == ['Letterbox', 'Tokenize'] and 'inputs' not in content

    def test_a_step_in_training_is_left_out(self):
        config = tiny_config()
        config.inputs.steps = dict(load_image=dict(upright=True))
        resolve_pipelines(config)
        assert set(describe(config, ORIGIN)['inputs']) == {'tokenizer', 'views'}
        config.inputs.steps = dict(tokenize=dict(tokenizer=dict(type='CLIPTokenizer', context_length=5)))
        resolve_pipelines(config)
        assert describe(config, ORIGIN)['pipeline'][-1]['tokenizer']['context_length'] == 5

    def test_thresholds_and_instance_masks(self, tmp_path):
        config = tiny_config('mail/tiny_shaperef.py')
        config.inputs.instance_masks.min_score = 0.25
        config.test_evaluator.threshold = 0.6
        resolve_pipelines(config)
        after = check_same(config, tmp_path / 'model')
        assert after.protocol.threshold == 0.6
        assert after.model.cfg.test_dataloader.dataset.instance_masks == dict(min_score=0.25)
        # A file of the publisher's data is not named.
        assert 'instance_masks.json' not in (tmp_path / 'model/config.json').read_text()

    def test_parts_of_others_cannot_be_published(self):
        config = tiny_config()
        config.model.neck.type = 'mmseg.FPN'
        with pytest.raises(ValueError, match="vit-tiny_shaperef.py cannot be published: model.neck.type is 'mmseg.FPN'"
                           ', which is not the name of a model of mmris. A published model is made of parts of mmris'):
            describe(config, ORIGIN)

    def test_a_model_that_was_never_trained(self):
        with pytest.raises(ValueError, match='Without a checkpoint a model can be evaluated only if nothing of it is'):
            prepare(tiny_config(), None, origin=ORIGIN)


class TestHalf:

    def test_predictions_and_size(self, tmp_path):
        config = tiny_config()
        whole = publish_random(tmp_path / 'whole', config)
        half = publish_random(tmp_path / 'half', config, half=True)
        one, other = (ask(Predictor.from_pretrained(folder, device='cpu')).probabilities for folder in (whole, half))
        assert np.abs(one - other).max() < 5e-3 and not np.array_equal(one, other)
        sizes = [(folder / 'model.safetensors').stat().st_size for folder in (whole, half)]
        assert sizes[1] < 0.55 * sizes[0]
        assert '(float16, float32)' in (half / 'README.md').read_text()

    def test_buffers_stay_as_they_are(self, tmp_path):
        """The variance that a BatchNorm has seen may be larger than float16 holds."""
        config = tiny_config()
        checkpoint = save_random(config, tmp_path / 'large.pth')
        state = torch.load(checkpoint)['state_dict']
        variances = [key for key in state if key.endswith('running_var')]
        for key in variances:
            state[key].fill_(1e6)
        torch.save(dict(state_dict=state), checkpoint)
        weights = prepare(config, checkpoint, origin=ORIGIN, half=True).weights
        assert variances and all((weights[key] == 1e6).all() for key in variances if key in weights)

    def test_a_weight_that_is_too_large(self, tmp_path):
        config = tiny_config()
        checkpoint = save_random(config, tmp_path / 'large.pth')
        state = torch.load(checkpoint)['state_dict']
        state['encoder.text.clip.token_embedding.weight'][0, 0] = 1e6
        torch.save(dict(state_dict=state), checkpoint)
        with pytest.raises(ValueError, match='token_embedding.weight has the value 1e.06, but float16 holds at most'):
            prepare(config, checkpoint, origin=ORIGIN, half=True)


class TestFolder:

    def test_the_same_model_gives_the_same_bytes(self, tmp_path):
        for name in ('one', 'two'):
            (tmp_path / name).mkdir()
            publish_random(tmp_path / name / 'model', source='x')
        for path in (tmp_path / 'one/model').iterdir():
            assert path.read_bytes() == (tmp_path / 'two/model' / path.name).read_bytes()

    def test_others_may_read_it(self, tmp_path):
        folder = publish_random(tmp_path / 'model')
        assert len({path.stat().st_mode for path in folder.iterdir()}) == 1

    def test_it_appears_whole_or_not_at_all(self, tmp_path, monkeypatch):
        config = tiny_config()
        model = prepare(config, save_random(config, tmp_path / 'a.pth'), origin=ORIGIN)
        monkeypatch.setattr('mmris.hub.writing.write_card', lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_published(tmp_path / 'model', model, CardFacts(name='a', source='a'))
        assert sorted(path.name for path in tmp_path.iterdir()) == ['a.pth']

    def test_an_earlier_one_is_replaced(self, tmp_path):
        folder = publish_random(tmp_path / 'model')
        (folder / 'vocab.txt').write_text('of another tokenizer')
        publish_random(folder)
        assert not (folder / 'vocab.txt').exists()

    def test_what_else_is_there_stays(self, tmp_path):
        (tmp_path / 'file').write_text('')
        with pytest.raises(FileExistsError, match='file is a file, but a folder is to be written. Name another'):
            check_goal(tmp_path / 'file')
        (tmp_path / 'empty').mkdir()
        check_goal(tmp_path / 'empty')
        with pytest.raises(FileExistsError, match=f'{tmp_path} is not empty, .* it has empty. Name another folder'):
            check_goal(tmp_path)
        folder = publish_random(tmp_path / 'model')
        (folder / 'notes.txt').write_text('mine')
        with pytest.raises(FileExistsError, match='not a published model alone: it has notes.txt'):
            publish_random(folder)
        assert (folder / 'notes.txt').read_text() == 'mine'


def test_weights_in_several_files(tmp_path):
    folder = publish_random(tmp_path / 'model')
    expected = ask(Predictor.from_pretrained(folder, device='cpu')).probabilities
    state = load_file(folder / 'model.safetensors')
    (folder / 'model.safetensors').unlink()
    names = [f'model-{number:05}-of-00002.safetensors' for number in (1, 2)]
    keys = sorted(state)
    parts = keys[:20], keys[20:]
    for name, part in zip(names, parts):
        save_file({key: state[key] for key in part}, folder / name)
    index = dict(weight_map={key: name for name, part in zip(names, parts) for key in part})
    (folder / 'model.safetensors.index.json').write_text(json.dumps(index))
    assert np.array_equal(ask(Predictor.from_pretrained(folder, device='cpu')).probabilities, expected)


def test_wherever_a_model_is_named(tmp_path, monkeypatch):
    folder = publish_random(tmp_path / 'model')
    expected = ask(Predictor.from_pretrained(str(folder), device='cpu')).probabilities
    for named in (str(folder), folder, str(folder / 'config.json')):
        predictor = Predictor(named, device='cpu')
        assert np.array_equal(ask(predictor).probabilities, expected)
        assert isinstance(init_model(named, device='cpu'), torch.nn.Module)
        inferencer = ReferringInferencer(named, device='cpu', show_progress=False)
        assert np.array_equal(next(inferencer.iterate(photograph(), SENTENCES)).probabilities, expected)
    # As a checkpoint, of the config that it came from.
    predictor = Predictor(ORIGIN, folder, device='cpu')
    assert np.array_equal(ask(predictor).probabilities, expected)
    monkeypatch.chdir(tmp_path)
    assert np.array_equal(ask(Predictor.from_pretrained('model', device='cpu')).probabilities, expected)
