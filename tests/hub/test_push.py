"""The command ``mmris push``, and commands on what it wrote, in this process."""

import json

import pytest
from mmengine.config import Config

from mmris.apis import Predictor
from mmris.commands.push import find_repository
from mmris.datasets.pipelines import resolve_pipelines
from mmris.hub.reading import open_published
from tests.conftest import ROOT, run_command, tiny_config, write_set
from tests.hub.published import edit, photograph, publish_random, save_random

CONFIG = 'mmris::cm_masksd/vit-tiny_shaperef.py'


@pytest.fixture
def checkpoint(tmp_path):
    return save_random(tiny_config(), tmp_path / 'trained.pth')


def test_a_config_and_a_checkpoint(tmp_path, checkpoint, capsys):
    (tmp_path / 'scores.json').write_text(json.dumps(dict(val=dict(mIoU=50.0, expressions=3))))
    target = tmp_path / 'published/model'
    run_command('push', CONFIG, checkpoint, target, '--scores', tmp_path / 'scores.json', '--trained-on', 'a',
                '--trained-on', 'b/c')
    content = open_published(target).content
    assert content['config'] == CONFIG and content['inputs']['tokenizer']['type'] == 'CLIPTokenizer'
    card = (target / 'README.md').read_text()
    # Of the config's data folder.
    assert 'measured these scores on shaperef, by' in card and '- b/c' in card
    assert f'Use it: Predictor.from_pretrained({str(target)!r})' in capsys.readouterr().out


def test_a_config_of_the_users(tmp_path, checkpoint):
    """Its path is not published."""
    own = tmp_path / 'own.py'
    own.write_text(f"_base_ = '{ROOT}/configs/cm_masksd/vit-tiny_shaperef.py'\n")
    run_command('push', own, checkpoint, tmp_path / 'model')
    assert open_published(tmp_path / 'model').content['config'] == 'own.py'
    assert str(tmp_path) not in (tmp_path / 'model/config.json').read_text()
    # What is pushed again keeps that name.
    run_command('push', '--model', tmp_path / 'model', tmp_path / 'again', '--half')
    assert open_published(tmp_path / 'again').content['config'] == 'own.py'
    with pytest.raises(ValueError, match='model does not say which data it is scored on. Give a config that does, and'):
        run_command('test', '--model', tmp_path / 'model')


def test_a_feature_cache_is_not_pushed(tmp_path):
    """Nor does anything fill it on the way, or when a predictor has such a config."""
    config = tiny_config()
    config.model.update(frozen=['encoder.image'], feature_cache=dict(folder=str(tmp_path / 'features')))
    resolve_pipelines(config)
    folder = publish_random(tmp_path / 'model', config)
    assert 'feature' not in (folder / 'config.json').read_text()
    predictor = Predictor(config, folder.with_suffix('.pth'))
    assert predictor.model.feature_cache is not None
    predictor.set_image(photograph())
    predictor.predict('a star')
    assert not (tmp_path / 'features').exists()


def test_scores_of_what_was_pushed(tmp_path, monkeypatch):
    """On the data of the project's config, with the model's own settings."""
    monkeypatch.chdir(tmp_path)
    folder = publish_random(tmp_path / 'model')
    write_set(tmp_path / 'data/shaperef')
    edit(folder, lambda content: content.update(thresholds=dict(threshold=0.25)))
    small = ['--cfg-options', 'test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False',
             'test_evaluator.by_skill=False']
    run_command('test', '--model', folder, '--split', 'val', '--out', 'one.json', '--dump', 'one.jsonl', *small)
    run_command('test', CONFIG, folder, '--split', 'val', '--out', 'two.json', *small, 'test_evaluator.threshold=0.25')
    one, two = (json.loads((tmp_path / f'{name}.json').read_text()) for name in ('one', 'two'))
    assert one == two and one['val']['expressions'] == 15
    assert json.loads((tmp_path / 'one.jsonl').read_text().splitlines()[0])['threshold'] == 0.25


@pytest.mark.parametrize('options, said', [
    (['--private'], '--private is about a repository of the hub, but .* is a folder. Leave it out'),
    (['--message', 'x'], '--message is about a repository of the hub'),
    (['--scored-on', 'x'], '--scored-on names the data of scores: give them too'),
    (['--licence', 'Apache 2.0'], "--licence is 'Apache 2.0', but the hub names licences like apache-2.0"),
    (['--trained-on', '../x'], "--trained-on has '../x', but the hub names data like refcoco or user/data"),
])
def test_options_that_do_not_fit(tmp_path, checkpoint, options, said):
    with pytest.raises(ValueError, match=said):
        run_command('push', CONFIG, checkpoint, tmp_path / 'model', *options)
    assert not (tmp_path / 'model').exists()


def test_weights_of_another_config(tmp_path, checkpoint):
    with pytest.raises(RuntimeError, match='does not fit the model of the config'):
        run_command('push', 'mmris::cm_masksd/vit-small_shaperef.py', checkpoint, tmp_path / 'model')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['trained.pth']


def test_folders_and_repositories(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'models').mkdir()
    assert find_repository('user/name') == find_repository('hf-hub:user/name') == 'user/name'
    # A folder could be meant.
    assert find_repository('hf-hub:models/name') == 'models/name'
    for target in ('models/name', './user/name', 'name', '/user/name', 'a/b/c', 'user/', '~/name', 'us er/name'):
        assert find_repository(target) is None
    for target in ('hf-hub:name', 'hf-hub:a/b/c', 'hf-hub:a/../b', 'hf-hub:a/b--c', 'hf-hub:a/.b', 'hf-hub:'):
        with pytest.raises(ValueError, match='is not the name of a repository: write user/name'):
            find_repository(target)


def test_a_published_model_is_no_config_to_run(tmp_path):
    folder = publish_random(tmp_path / 'model')
    assert isinstance(open_published(folder).config(), Config)
    with pytest.raises(ValueError, match='is a published model, whose config holds what inference needs and nothing'):
        run_command('print_config', CONFIG, '--diff', folder)
