"""Results of many images in a folder, whole whatever happens on the way."""

import json
from pathlib import Path
from typing import Optional

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from mmris.apis import Predictor, ReferringInferencer
from mmris.apis.inferencer import ImageRequest, Processes, read_pair_file
from mmris.apis.inferencer.names import name_outputs
from mmris.apis.inferencer.requests import VideoFrame
from tests.apis.test_inferencer import photograph, write_clip

SENTENCES = ['the star', 'left one']


@pytest.fixture(scope='module')
def predictor() -> Predictor:
    return Predictor.from_pretrained('cm-masksd-shaperef', device='cpu')


@pytest.fixture
def inferencer(predictor) -> ReferringInferencer:
    return ReferringInferencer(predictor, show_progress=False)


@pytest.fixture
def photos(tmp_path) -> Path:
    """Seven images, the fourth of them broken."""
    folder = tmp_path / 'photos'
    folder.mkdir()
    for seed in range(7):
        Image.fromarray(photograph(seed, 40 + seed)).save(folder / f'{seed}.png')
    (folder / '3.png').write_bytes((folder / '3.png').read_bytes()[:99])
    return folder


def read_tree(folder: Path) -> dict:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def test_what_is_written(inferencer, predictor, photos, tmp_path):
    out = tmp_path / 'out'
    summary = inferencer.write(photos, out, SENTENCES, batch_size=2)
    assert (summary.images, summary.sentences, summary.predicted) == (7, 12, 7)
    assert [failure.name for failure in summary.failures] == ['3.png']
    names = [str(number) for number in (0, 1, 2, 4, 5, 6)]
    assert sorted(read_tree(out)) == sorted([
        'images.json', 'predictions.json', 'records.jsonl', 'settings.json',
        *(f'overlays/{name}.png' for name in names),
        *(f'masks/{name}_{number}.png' for name in names for number in (1, 2))
    ])
    images = json.loads((out / 'images.json').read_text())
    assert [(one['id'], one['file_name'], one['height']) for one in images['images']] == [
        (int(name) + 1, f'{name}.png', 40 + int(name)) for name in names]
    failed, = images['failed']
    assert failed['file_name'] == '3.png' and 'is not a whole image file' in failed['reason']
    results = json.loads((out / 'predictions.json').read_text())
    assert [(one['image_id'], one['sentence']) for one in results] == [
        (int(name) + 1, sentence) for name in names for sentence in SENTENCES]
    for result, place in zip(results, (place for place in range(12))):
        mask = coco_mask.decode(result['segmentation']).astype(bool)
        name = f'{names[place // 2]}_{place % 2 + 1}.png'
        assert np.array_equal(np.asarray(Image.open(out / 'masks' / name)) == 255, mask)
        assert result['exists'] == mask.any() and result['area'] == mask.sum()
    assert sum(not one['exists'] for one in results) == summary.nothing_fits
    predictor.set_image(photos / '5.png')
    assert np.array_equal(coco_mask.decode(results[8]['segmentation']), predictor.predict(SENTENCES).masks[0])


def test_pycocotools_reads_it(inferencer, photos, tmp_path):
    inferencer.write(photos, tmp_path / 'out', SENTENCES, outputs=())
    assert sorted(one.name for one in (tmp_path / 'out').iterdir()) == [
        'images.json', 'predictions.json', 'records.jsonl', 'settings.json']
    found = COCO(tmp_path / 'out' / 'images.json').loadRes(str(tmp_path / 'out' / 'predictions.json'))
    assert len(found.getAnnIds(imgIds=[7])) == 2 and found.getAnnIds(imgIds=[4]) == []


class Killed(BaseException):
    """In place of a signal."""


@pytest.mark.parametrize('batch_size', [1, 3])
def test_a_killed_run_continues(inferencer, photos, tmp_path, batch_size, monkeypatch):
    """From what it has finished, to the same bytes, wherever it was killed."""
    inferencer.write(photos, tmp_path / 'whole', SENTENCES, batch_size=batch_size)
    expected, out = read_tree(tmp_path / 'whole'), tmp_path / 'out'
    forward, seen, left = inferencer.forward, [], [0]

    def forward_and_die(batch):
        if not left[0]:
            raise Killed
        left[0] -= 1
        seen.extend(request.name for request, _ in batch)
        return forward(batch)

    monkeypatch.setattr(inferencer, 'forward', forward_and_die)
    for torn in (b'{"index": 6, "batch_re', b'{'):
        left[0] = 1
        with pytest.raises(Killed):
            inferencer.write(photos, out, SENTENCES, batch_size=batch_size)
        with open(out / 'parts' / '0.jsonl', 'ab') as file:
            file.write(torn)
        (out / 'masks' / '.6_1-x8x.png').write_bytes(b'half')
        assert not (out / 'predictions.json').exists()
    left[0] = 99
    inferencer.write(photos, out, SENTENCES, batch_size=batch_size)
    assert read_tree(out) == expected
    assert sorted(seen) == [f'{number}.png' for number in range(7)], 'each once'
    monkeypatch.setattr(inferencer, 'forward', forward)
    assert inferencer.write(photos, out, SENTENCES, batch_size=batch_size).predicted == 0
    assert read_tree(out) == expected


@pytest.mark.parametrize('batch_size', [1, 4])
def test_an_image_that_was_repaired(inferencer, photos, tmp_path, batch_size):
    """It is predicted when the run is started again, and the end is as if it had never been broken."""
    inferencer.write(photos, tmp_path / 'out', SENTENCES, batch_size=batch_size)
    Image.fromarray(photograph(3, 43)).save(photos / '3.png')
    again = inferencer.write(photos, tmp_path / 'out', SENTENCES, batch_size=batch_size)
    assert again.predicted == batch_size and not again.failures
    inferencer.write(photos, tmp_path / 'whole', SENTENCES, batch_size=batch_size)
    assert read_tree(tmp_path / 'out') == read_tree(tmp_path / 'whole')


def test_a_run_of_other_settings_is_refused(inferencer, photos, tmp_path):
    out = tmp_path / 'out'
    inferencer.write(photos, out, SENTENCES, outputs=['masks'])
    before = read_tree(out)
    changes = [
        (dict(sentences=['the star']), "sentences: .'the star', 'left one'. -> .'the star'."),
        (dict(batch_size=2), 'batch_size: 1 -> 2'),
        (dict(outputs=[]), r"outputs: \['masks'\] -> \[\]"),
        (dict(inputs=[photos / '1.png']), 'images.count: 7 -> 1'),
    ]
    for change, message in changes:
        with pytest.raises(ValueError, match=f'holds a run of predictions with other settings .*{message}.*overwrite'):
            inferencer.write(**dict(dict(inputs=photos, out=out, sentences=SENTENCES, outputs=['masks']), **change))
    predictor = inferencer.predictor
    kept = predictor.protocol
    try:
        predictor.protocol = kept.with_threshold(0.6)
        with pytest.raises(ValueError, match='threshold: 0.5 -> 0.6'):
            inferencer.write(photos, out, SENTENCES, outputs=['masks'])
    finally:
        predictor.protocol = kept
    weight = next(predictor.model.neck.parameters())
    weight.data += 1
    try:
        with pytest.raises(ValueError, match='weights.neck: '):
            inferencer.write(photos, out, SENTENCES, outputs=['masks'])
    finally:
        weight.data -= 1
    assert read_tree(out) == before
    inferencer.write(photos / '1.png', out, 'the star', overwrite=True)
    assert sorted(read_tree(out)) == ['images.json', 'masks/1_1.png', 'overlays/1.png', 'predictions.json',
                                      'records.jsonl', 'settings.json']


def test_folders_of_others(inferencer, photos):
    """Are never written to, nor emptied."""
    for overwrite, settings in ((False, None), (True, None), (True, '{"seeds": 3}'), (True, 'no JSON')):
        if settings:
            (photos / 'settings.json').write_text(settings)
        before = read_tree(photos)
        with pytest.raises(ValueError, match='holds files, but no predictions of an earlier run'):
            inferencer.write(photos, photos, SENTENCES, overwrite=overwrite)
        assert read_tree(photos) == before


def test_results_within_the_inputs(inferencer, photos):
    """Are no inputs of the next run."""
    for inputs in (photos, photos, str(photos / '**' / '*.png')):
        summary = inferencer.write(inputs, photos / 'out', 'x', recursive=True, overwrite=inputs != photos)
        assert summary.images == 7


def test_two_runs_at_once(inferencer, photos, tmp_path, monkeypatch):
    other = ReferringInferencer(inferencer.predictor, show_progress=False)
    forward = inferencer.forward

    def meanwhile(batch):
        with pytest.raises(RuntimeError, match=r'Another run is writing to .*out: process \d+ on .*\. Wait until'):
            other.write(photos, tmp_path / 'out', SENTENCES)
        return forward(batch)

    monkeypatch.setattr(inferencer, 'forward', meanwhile)
    assert inferencer.write(photos, tmp_path / 'out', SENTENCES).images == 7


def test_processes_that_find_other_inputs(inferencer, photos, tmp_path):

    class Second(Processes):

        def share(self, value):
            return dict(count=6, sha256='of the first')

    with pytest.raises(RuntimeError, match='This process found other inputs than the first one: they must be on a'):
        inferencer.write(photos, tmp_path / 'out', SENTENCES, processes=Second())


def test_arrays(inferencer, tmp_path):
    """Are known by their pixels."""
    images = [photograph(1), photograph(2)]
    inferencer.write(images, tmp_path / 'out', SENTENCES)
    assert sorted(one.name for one in (tmp_path / 'out' / 'overlays').iterdir()) == ['image-1.png', 'image-2.png']
    assert inferencer.write(images, tmp_path / 'out', SENTENCES).predicted == 0
    with pytest.raises(ValueError, match='images.sha256'):
        inferencer.write(images[::-1], tmp_path / 'out', SENTENCES)


def test_nothing_to_do(inferencer, tmp_path):
    for given, message in ((dict(inputs=[]), 'There is no image to predict for: the inputs are empty'),
                           (dict(inputs=['a.png'], outputs=['mask']), 'outputs are some of .* but got mask')):
        with pytest.raises(ValueError, match=message):
            inferencer.write(out=tmp_path / 'out', sentences='x', **given)
    assert not (tmp_path / 'out').exists()


def test_all_are_broken(inferencer, tmp_path):
    (tmp_path / 'a.png').write_text('')
    for _ in range(2):
        with pytest.raises(ValueError, match='None of 2 images could be read. The first: .*a.png is empty'):
            inferencer.write([tmp_path / 'a.png', 'b.png'], tmp_path / 'out', 'x')
    images = json.loads((tmp_path / 'out' / 'images.json').read_text())
    assert [one['file_name'] for one in images['failed']] == [str(tmp_path / 'a.png'), 'b.png']
    assert json.loads((tmp_path / 'out' / 'predictions.json').read_text()) == []


def test_further_columns(inferencer, photos, tmp_path):
    (photos / 'pairs.csv').write_text('image,sentence,source\n1.png,the star,web\n0.png,left one,book\n'
                                      '1.png,left one,film\n')
    inferencer.write(read_pair_file(photos / 'pairs.csv'), tmp_path / 'out')
    results = json.loads((tmp_path / 'out' / 'predictions.json').read_text())
    assert [(one['file_name'], one['sentence'], one['columns']) for one in results] == [
        ('1.png', 'the star', dict(source='web')), ('1.png', 'left one', dict(source='film')),
        ('0.png', 'left one', dict(source='book'))]


def test_videos(inferencer, photos, tmp_path):
    """Each second frame: masks, and a video of half the speed, made again if it is missing."""
    write_clip(photos / 'clip.avi', 6)
    out = tmp_path / 'out'
    summary = inferencer.write([photos / 'clip.avi', photos / '0.png'], out, SENTENCES, every=2, batch_size=2)
    assert summary.images == 4
    names = [path for path in read_tree(out) if path.startswith('masks')]
    assert sorted(names) == sorted([f'masks/clip/{number:06d}_{place}.png' for number in (0, 2, 4)
                                    for place in (1, 2)] + [f'masks/0_{place}.png' for place in (1, 2)])
    images = json.loads((out / 'images.json').read_text())['images']
    assert [(one['video'], one['frame']) for one in images[:3]] == [(str(photos / 'clip.avi'), n) for n in (0, 2, 4)]
    path = out / 'videos' / 'clip.mp4'
    drawn = cv2.VideoCapture(str(path))
    assert drawn.get(cv2.CAP_PROP_FPS) == 5
    for brightness in (0, 40, 80):
        there, frame = drawn.read()
        assert there and frame.shape == (48, 64, 3)
        # Masks are drawn over it in colour.
        assert abs(np.median(frame.astype(float)) - brightness) < 60
    assert not drawn.read()[0]
    inferencer.write([photos / 'clip.avi', photos / '0.png'], tmp_path / 'again', SENTENCES, every=2, batch_size=2)
    assert read_tree(tmp_path / 'again') == read_tree(out)


def test_names():
    """No two images share files, whatever they are called."""

    def request(name: str, video: Optional[str] = None, number: int = 0) -> ImageRequest:
        image = VideoFrame(video, number) if video else name
        return ImageRequest(name=name, image=image, sentences=('x', ), video=video)

    images = ['a/1.jpg', 'b/1.jpg', 'b/1.png', 'b/1.PNG', 'b/1.jpg', '../b/1.jpg', '/c/b/1.jpg', '.hidden.jpg',
              'clip/000012.jpg', 'clip.jpg', 'x' * 300 + '.jpg', '..', '/c/d/1.jpg']
    frames = [('clip.mp4', 2), ('clip.mp4', 4), ('clip.mov', 4), ('clip.mp4', 2), ('clip.mp4', 4)]
    requests = [request(name) for name in images] + [request('', *frame) for frame in frames]
    names, videos = name_outputs(requests)
    assert names[:4] == ['a/1', 'b/1', 'b/1.png', 'b/1.PNG-2'] and names[4:7] == ['b/1.jpg', 'b/1.jpg-2', 'b/1.jpg-3']
    # Absolute paths by where they part.
    assert names[12] == 'd/1' and names[7] == '_hidden' and len(names[10]) == 180 and names[11] == 'image'
    assert len({name.casefold() for name in names}) == len(names)
    assert not any(part.startswith('.') for name in names for part in name.split('/'))
    # What was asked about one video at two times is two.
    assert [video.frames for video in videos] == [[13, 14], [15], [16, 17]]
    assert [video.name for video in videos] == ['clip.mp4', 'clip.mov', 'clip.mp4-2']
    assert names[13:15] == ['clip.mp4/000002', 'clip.mp4/000004'] and names[16] == 'clip.mp4-2/000002'
