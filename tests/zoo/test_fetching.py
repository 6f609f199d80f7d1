"""Files of the package, and those that users put into a folder."""

import pytest
import torch
from mmengine.config import Config

import mmris.zoo.fetching
from mmris.checkpoints import PUBLISHED, compare_checkpoint, convert, load_model_weights
from mmris.registry import MODELS
from mmris.zoo import MODELS as ZOO
from mmris.zoo import OtherFile, PackageFile, cache_folder, fetch_vocabulary, fetch_weights, get_model
from tests.conftest import ROOT, assert_same
from tests.test_configs import shrink
from tests.zoo.rows import fill_zoo, make_row, measure, put_in_zoo


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv('MMRIS_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


def put(path, content: bytes):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize('row', [row for row in ZOO if isinstance(row.weights, PackageFile)], ids=lambda row: row.name)
def test_files_of_the_package(row):
    """They are those that the table describes."""
    path = ROOT / 'mmris' / row.weights.path
    if not path.is_file():
        pytest.skip(f'{path} is not there yet')
    assert dict(size=row.weights.size, sha256=row.weights.sha256) == measure(path)
    assert fetch_weights(row) == path


class TestPackageFile:

    def test_it_is_checked(self, monkeypatch, tmp_path):
        monkeypatch.setattr(mmris.zoo.fetching, '_PACKAGE', tmp_path)
        path = put(tmp_path / 'zoo/weights/a.safetensors', b'weights')
        file = PackageFile(path='zoo/weights/a.safetensors', **measure(path))
        assert fetch_weights(make_row('a', file)) == path
        path.write_bytes(b'Weights')
        with pytest.raises(ValueError, match=f'{path} should be the weights of a, but its SHA-256 is [0-9a-f]*'
                           f' instead of {file.sha256}. Remove it and fetch it again from mmris/zoo/weights/a'):
            fetch_weights(make_row('a', file))

    def test_it_is_not_there(self, monkeypatch, tmp_path):
        monkeypatch.setattr(mmris.zoo.fetching, '_PACKAGE', tmp_path)
        with pytest.raises(FileNotFoundError, match=f'{tmp_path}/zoo/a.pth should hold the weights of a, but this '
                           f'installation of mmris lacks the file. Install mmris again.'):
            fetch_weights(make_row('a', PackageFile(path='zoo/a.pth')))


class TestOtherFile:
    file = OtherFile(address='https://example.org/page', file='a.pth', size=7)

    def test_the_message_says_what_to_do(self, cache):
        message = (f'There is no {cache}/a/a.pth, and mmris cannot download the weights of a by itself. Fetch a.pth '
                   f'(0.0 MB) from https://example.org/page and put it there. To keep such files elsewhere than in '
                   f'{cache}, set MMRIS_CACHE.')
        with pytest.raises(FileNotFoundError) as caught:
            fetch_weights(make_row('a', self.file))
        assert str(caught.value) == message

    def test_a_file_that_is_there_is_used(self, cache):
        path = put(cache / 'a/a.pth', b'weights')
        assert fetch_weights(make_row('a', self.file)) == path
        path.write_bytes(b'half')
        with pytest.raises(ValueError, match='a.pth should be the weights of a, but has 4 bytes instead of 7. Remove'):
            fetch_weights(make_row('a', self.file))

    def test_a_vocabulary(self, cache):
        row = get_model('beit3-base')
        with pytest.raises(FileNotFoundError, match=f'There is no {cache}/beit3-base/beit3.spm, .*the vocabulary of'):
            fetch_vocabulary(row)
        path = put(cache / 'beit3-base/beit3.spm', b'words')
        assert fetch_vocabulary(row) == path

    def test_folders(self, monkeypatch, tmp_path):
        monkeypatch.delenv('MMRIS_CACHE', raising=False)
        monkeypatch.setenv('HOME', str(tmp_path))
        monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
        assert cache_folder() == tmp_path / '.cache/mmris'
        monkeypatch.setenv('XDG_CACHE_HOME', '/elsewhere')
        assert str(cache_folder()) == '/elsewhere/mmris'
        monkeypatch.setenv('MMRIS_CACHE', '~/mine')
        assert cache_folder() == tmp_path / 'mine'


def test_a_published_layout_needs_no_conversion(monkeypatch, tmp_path):
    """Weights of CRIS's code, at toy size: a model of ours takes the file itself."""
    fill_zoo(monkeypatch, tmp_path)
    config = shrink(Config.fromfile(ROOT / 'configs/cris/rn50_refcoco.py'))
    config.dump(str(tmp_path / 'small_cris.py'))
    monkeypatch.setattr('mmris.checkpoints.published.cris.CONFIGS', (str(tmp_path / 'small_cris.py'), ))
    config.model.encoder.update(pretrained=None, quick_gelu=True)
    model, other = MODELS.build(config.model), MODELS.build(config.model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'ours.pth')
    theirs = tmp_path / 'cache/cris/best_model.pth'
    theirs.parent.mkdir(parents=True)
    convert(PUBLISHED['cris'], str(tmp_path / 'ours.pth'), str(theirs), 'cris')
    put_in_zoo(monkeypatch, make_row('cris', OtherFile(address='there', file='best_model.pth'), published='cris'))
    assert fetch_weights(get_model('cris')) == theirs
    load_model_weights(other, 'cris')
    assert_same(dict(other.state_dict()), dict(model.state_dict()))
    assert not compare_checkpoint(model, 'cris')
