"""Many images in one call, and in OpenMMLab's form."""

import gc
import shutil
import weakref

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import INFERENCERS
from PIL import Image

from mmris.apis import Predictor, ReferringInferencer
from mmris.apis.inferencer import ImageRequest, read_pair_file, videos
from mmris.structures import ReferringDataSample
from tests.conftest import tiny_config

SENTENCES = ['the star', 'left one']


def photograph(seed: int, height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope='module')
def predictor() -> Predictor:
    return Predictor.from_pretrained('cm-masksd-shaperef', device='cpu')


@pytest.fixture(scope='module')
def inferencer(predictor) -> ReferringInferencer:
    return ReferringInferencer(predictor, show_progress=False)


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    """Three images, one in a folder; and one file that is none."""
    folder = tmp_path_factory.mktemp('photos')
    (folder / 'sub').mkdir()
    for seed, name in enumerate(('a.png', 'b.png', 'sub/a.png')):
        Image.fromarray(photograph(seed, 40 + seed)).save(folder / name)
    (folder / 'notes.txt').write_text('no image')
    return folder


def write_clip(path, frames: int) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 48))
    for number in range(frames):
        writer.write(np.full((48, 64, 3), 20 * number % 250, dtype=np.uint8))
    writer.release()


def test_masks_are_those_of_the_predictor(inferencer, predictor, photos):
    found = list(inferencer.iterate(photos, SENTENCES, recursive=True))
    assert [one.path for one in found] == [str(photos / name) for name in ('a.png', 'b.png', 'sub/a.png')]
    for one in found:
        predictor.set_image(one.path)
        assert np.array_equal(one.probabilities, predictor.predict(SENTENCES).probabilities)
    for one, other in zip(found, inferencer.iterate(photos, SENTENCES, recursive=True, batch_size=2), strict=True):
        assert np.abs(one.probabilities - other.probabilities).max() < 1e-5


def test_forms_of_inputs(inferencer, photos, tmp_path):
    """All are the same images, whether files, patterns, lists of lists, arrays, pictures or bytes."""
    a, b = photos / 'a.png', str(photos / 'b.png')
    expected = [one.probabilities for one in inferencer.iterate([a, b], SENTENCES)]
    for inputs in (photos, [photos], str(photos / '*.png'), [[str(a)], [b]], (one for one in (a, b)),
                   [np.asarray(Image.open(a)), Image.open(b)], [a.read_bytes(), open(b, 'rb')],
                   [ImageRequest('a', a, tuple(SENTENCES)), b]):
        found = list(inferencer.iterate(inputs, SENTENCES))
        assert len(found) == 2 and all(np.array_equal(one.probabilities, other) for one, other in zip(found, expected))
    pairs = [(a, SENTENCES), (b, SENTENCES[1])]
    one, other = inferencer.iterate(pairs, batch_size=2)
    assert one.sentences == tuple(SENTENCES) and other.sentences == tuple(SENTENCES[1:])
    assert [one.path for one in inferencer.iterate(str(photos / '**' / 'a.png'), 'x')] == [
        str(photos / 'a.png'), str(photos / 'sub' / 'a.png')]


def test_files_of_sentences(inferencer, photos, tmp_path):
    """An image is encoded once, with all of its sentences in the order of the file."""
    (tmp_path / 'pairs.csv').write_text('image,sentence,split\nb.png,"the star, left",val\na.png,left one,test\n'
                                        'b.png,left one,val\n')
    (tmp_path / 'pairs.jsonl').write_text(
        '{"image": "b.png", "sentence": "the star, left", "split": "val"}\n'
        '{"image": "a.png", "sentence": "left one", "split": "test"}\n'
        '{"image": "b.png", "sentence": "left one", "split": "val"}\n')
    for name in ('pairs.csv', 'pairs.jsonl'):
        b, a = read_pair_file(tmp_path / name, photos)
        assert (b.name, b.sentences, a.sentences) == ('b.png', ('the star, left', 'left one'), ('left one', ))
        assert [dict(one) for one in b.columns] == [dict(split='val')] * 2 and a.columns == (dict(split='test'), )
        found = list(inferencer.iterate(read_pair_file(tmp_path / name, photos)))
        assert [one.path for one in found] == [str(photos / 'b.png'), str(photos / 'a.png')]
    shutil.copy(photos / 'a.png', tmp_path / 'a.png')
    (tmp_path / 'own.csv').write_text('image,sentence\na.png,left one\n')
    request, = read_pair_file(tmp_path / 'own.csv')
    assert request.image == str(tmp_path / 'a.png'), 'relative to the file'


@pytest.mark.parametrize('name, content, message', [
    ('a.csv', 'image,text\na.png,x\n', "has no column 'sentence'. Its columns are 'image', 'text'"),
    ('a.csv', 'image,sentence\na.png, \n', "row 1 below the header needs text as its 'sentence', but has ' '"),
    ('a.csv', 'image,sentence\na.png,the star, left\n', 'row 1 below the header has more cells than the header'),
    ('a.csv', 'image,sentence\n', 'has no row: it needs at least one image and sentence'),
    ('a.jsonl', '{"image": "a.png"}', "object 1 needs text as its 'sentence', but has None"),
    ('a.jsonl', '[3]', "object 1 is 3, but an object with 'image' and 'sentence' is needed"),
])
def test_files_of_sentences_of_other_forms(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        list(read_pair_file(tmp_path / name))


def test_videos(inferencer, tmp_path):
    write_clip(tmp_path / 'clip.avi', 5)
    found = list(inferencer.iterate(tmp_path, 'the star', every=2, batch_size=2))
    # Frames 0, 2 and 4, which are 0, 40 and 80 all over.
    assert [round(float(one.image.mean()), -1) for one in found] == [0, 40, 80]
    assert found[0].image.shape == (48, 64, 3)


def test_a_truncated_video(inferencer, tmp_path, monkeypatch):
    """Is taken as far as it goes, with a warning."""
    said = []
    monkeypatch.setattr(videos, 'print_log', lambda message, **_: said.append(message))
    write_clip(tmp_path / 'clip.avi', 40)
    content = (tmp_path / 'clip.avi').read_bytes()
    (tmp_path / 'clip.avi').write_bytes(content[:len(content) // 2])
    number = len(list(inferencer.iterate(tmp_path / 'clip.avi', 'x', batch_size=8)))
    assert 0 < number < 30
    assert said == [f'{tmp_path}/clip.avi ends after {number} of the 40 frames that its header says: it may be '
                    f'truncated.']


def test_nothing_is_kept(inferencer):
    """Of a stream of images, only the last batch is in memory."""
    alive = []
    for prediction in inferencer.iterate((photograph(number) for number in range(9)), 'x', batch_size=2):
        alive.append(weakref.ref(prediction))
        del prediction
        gc.collect()
        assert sum(one() is not None for one in alive) <= 2
    assert len(alive) == 9


def test_openmmlab(predictor, photos):
    """Found in the registry, called as others are."""
    kind = INFERENCERS.get('mmris.ReferringInferencer')
    assert kind is ReferringInferencer
    inferencer = INFERENCERS.build(dict(type='mmris.ReferringInferencer', model=predictor, show_progress=False))
    results = inferencer(str(photos), batch_size=2, sentences=SENTENCES, return_vis=True)
    assert sorted(results) == ['failures', 'predictions', 'visualization'] and not results['failures']
    one, _ = results['predictions']
    assert (one['file_name'], one['height'], one['width'], len(one['results'])) == ('a.png', 40, 60, 2)
    predictor.set_image(photos / 'a.png')
    expected = predictor.predict(SENTENCES).to_coco()
    for mine, theirs in zip(one['results'], expected):
        assert mine['sentence'] == theirs['sentence'] and abs(mine['score'] - theirs['score']) < 1e-5
        assert mine['exists'] == (mine['area'] > 0)
    assert len(results['visualization']) == 2 and results['visualization'][0].dtype == np.uint8
    sample, _ = inferencer(str(photos), return_datasamples=True, sentences=SENTENCES)['predictions']
    assert isinstance(sample, ReferringDataSample) and sample.probabilities.shape == (2, 40, 60)
    assert sample.text == SENTENCES and sample.img_path == str(photos / 'a.png')
    assert inferencer(str(photos), sentences='x')['visualization'] == []
    with pytest.raises(ValueError, match='unknown argument'):
        inferencer(str(photos), sentences='x', colour=3)


def test_broken_images_are_skipped(inferencer, photos, tmp_path, caplog):
    (tmp_path / 'broken.jpg').write_bytes((photos / 'a.png').read_bytes()[:300])
    (tmp_path / 'clip.mp4').write_text('no video')
    inputs = [photos / 'a.png', tmp_path / 'broken.jpg', 'nowhere.jpg', tmp_path / 'clip.mp4', photos / 'b.png']
    failures = []
    found = list(inferencer.iterate(inputs, SENTENCES, batch_size=3, failures=failures))
    assert [one.path for one in found] == [str(photos / 'a.png'), str(photos / 'b.png')]
    assert [failure.name for failure in failures] == [str(tmp_path / 'broken.jpg'), 'nowhere.jpg',
                                                      f'{tmp_path / "clip.mp4"}#0']
    for failure, reason in zip(failures, ('not a whole image file', 'There is no image nowhere.jpg',
                                          'is no video that OpenCV reads')):
        assert reason in failure.reason
    assert inferencer(inputs, sentences='x')['failures'] == failures
    with pytest.raises(ValueError, match='None of 1 images could be read. The first: There is no image nowhere.jpg'):
        list(inferencer.iterate('nowhere.jpg', 'x'))
    with pytest.raises(ValueError, match='None of 1 images could be read. The first: The image is a torch tensor'):
        list(inferencer.iterate(torch.zeros(3, 4, 4), 'x'))


def test_errors(inferencer, predictor, photos, tmp_path):
    for inputs, sentences, kind, message in (
        (tmp_path, 'x', FileNotFoundError, r'holds no image or video, .* read only if you ask for it \(recursive\)'),
        (f'{tmp_path}/*.jpg', 'x', FileNotFoundError, r'No file is meant by the pattern .*/\*.jpg'),
        (photos, None, ValueError, 'There are no sentences: give one list for all images, or pairs'),
        (photos, [], ValueError, 'There is no sentence to predict for'),
        ([('a.png', 'x')], 'x', ValueError, 'one is a tuple, which is a pair .*: give several inputs as a list'),
        ([('a.png', 'x', 'y')], None, ValueError, r'A tuple is a pair \(input, sentences\), but one has 3 entries'),
    ):
        with pytest.raises(kind, match=message):
            list(inferencer.iterate(inputs, sentences))
    with pytest.raises(ValueError, match='batch_size is a number of images, 1 or more, but got 0'):
        list(inferencer.iterate(photos, 'x', batch_size=0))
    with pytest.raises(ValueError, match='every is a number of frames, 1 or more, but got 0'):
        list(inferencer.iterate(photos, 'x', every=0))
    with pytest.raises(ValueError, match='Name the config of the weights'):
        ReferringInferencer(weights='best.pth')
    with pytest.raises(ValueError, match='A predictor has its weights, device and settings already'):
        ReferringInferencer(predictor, threshold=0.5)
    with pytest.raises(ValueError, match='Without a checkpoint a model can be evaluated only if nothing of it is tra'):
        ReferringInferencer(tiny_config(), device='cpu')
