"""What a prediction says, draws and writes."""

import builtins
import io
import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from mmris.apis import Prediction, Predictor
from mmris.protocols import find_protocol
from tests.conftest import tiny_config

SENTENCES = ('the star', 'left one', 'nothing')


def make(**changes: object) -> Prediction:
    """A rectangle, two pixels that touch two edges, and nothing, on 20 x 30 pixels."""
    probabilities = np.full((3, 20, 30), 0.1, dtype=np.float32)
    probabilities[0, 5:8, 10:16] = 0.8
    probabilities[0, 5, 10] = 0.6
    probabilities[1, 0, 29], probabilities[1, 19, 0] = 0.4, 1
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    settings = dict(sentences=SENTENCES, probabilities=probabilities, protocol=find_protocol('mmris'), image=image)
    return Prediction(**{**settings, **changes})


class TestNumbers:

    def test_by_hand(self):
        one = make()
        assert one.threshold == 0.35 and one.masks.dtype == bool and np.array_equal(one.masks, one.probabilities > 0.35)
        assert one.areas.tolist() == [18, 2, 0] and one.areas.dtype == np.int64
        assert one.boxes.tolist() == [[10, 5, 16, 8], [0, 0, 30, 20], [0, 0, 0, 0]]
        assert one.scores == pytest.approx([(17 * 0.8 + 0.6) / 18, 0.7, 0])

    def test_another_threshold(self):
        one = make().with_threshold(0.5)
        assert one.threshold == 0.5 and one.areas.tolist() == [18, 1, 0]
        assert one.boxes[1].tolist() == [0, 19, 1, 20] and one.scores[1] == 1
        assert make().with_threshold(None).threshold == 0.35
        with pytest.raises(ValueError, match=r'threshold is a probability in \[0, 1\), but got 1.5'):
            make().with_threshold(1.5)

    def test_the_comparison_is_the_protocols(self):
        exact = np.full((1, 2, 2), 0.35, dtype=np.float64)
        one = make(sentences=('a', ), probabilities=exact)
        assert not one.masks.any() and one.scores.tolist() == [0]

    def test_a_mean_of_many_pixels(self):
        """Summed in float32 it would be off."""
        probabilities = np.full((1, 3000, 4000), 0.7, dtype=np.float32)
        assert make(sentences=('a', ), probabilities=probabilities).scores[0] == pytest.approx(0.7, rel=1e-6)


class TestSequence:

    def test_parts(self):
        one = make()
        assert len(one) == 3 and [part.sentences for part in one] == [('the star', ), ('left one', ), ('nothing', )]
        assert one[-1].sentences == ('nothing', ) and one[np.int64(1)].areas.tolist() == [2]
        assert one[1:].sentences == SENTENCES[1:] and one[1:].probabilities.shape == (2, 20, 30)
        assert one[::-1].areas.tolist() == [0, 2, 18] and one[0].image is one.image

    @pytest.mark.parametrize('which', [3, -4])
    def test_beyond_the_last(self, which):
        with pytest.raises(IndexError, match=f'There is no prediction {which}: there are 3, from 0 to 2'):
            make()[which]

    def test_another_index(self):
        with pytest.raises(TypeError, match='indexed by a whole number or a slice, but got str'):
            make()['the star']

    def test_in_words(self):
        assert repr(make()) == ("<Prediction on 20 x 30 pixels (height x width): 'the star' (3.0% of the image), "
                                "'left one' (0.3% of the image), 'nothing' (0.0% of the image)>")


class TestForms:

    def test_coco(self):
        results = json.loads(json.dumps(make().to_coco(image_id=7, category_id=3)))
        assert [one['bbox'] for one in results] == [[10, 5, 6, 3], [0, 0, 30, 20], [0, 0, 0, 0]]
        assert [one['area'] for one in results] == [18, 2, 0]
        assert [one['sentence'] for one in results] == list(SENTENCES)
        assert {(one['image_id'], one['category_id']) for one in results} == {(7, 3)}
        for one, mask in zip(results, make().masks):
            assert np.array_equal(coco_mask.decode(one['segmentation']), mask)
        # pycocotools' own box, of a mask that is not empty.
        assert coco_mask.toBbox(results[0]['segmentation']).tolist() == results[0]['bbox']

    def test_supervision(self):
        from supervision import BoxAnnotator, MaskAnnotator
        found = make().to_supervision()
        assert found.xyxy.tolist() == [[10, 5, 16, 8], [0, 0, 30, 20]] and np.array_equal(found.mask, make().masks[:2])
        assert found.confidence == pytest.approx([0.788889, 0.7]) and found.class_id.tolist() == [0, 1]
        assert found.data['class_name'].tolist() == ['the star', 'left one']
        drawn = BoxAnnotator().annotate(MaskAnnotator().annotate(make().image.copy(), found), found)
        assert drawn.shape == (20, 30, 3)
        assert len(make()[2].to_supervision()) == 0

    def test_without_supervision(self, monkeypatch):
        load = builtins.__import__

        def refuse(name: str, *arguments: object, **options: object) -> object:
            if name == 'supervision':
                raise ImportError(name)
            return load(name, *arguments, **options)

        monkeypatch.setattr(builtins, '__import__', refuse)
        with pytest.raises(ImportError, match='needs the package supervision. Install it: pip install supervision'):
            make().to_supervision()

    def test_pictures(self):
        picture = make().plot()
        assert picture.mode == 'RGB' and picture.width > 800
        shown = Image.open(io.BytesIO(make()._repr_png_()))
        assert shown.format == 'PNG' and np.array_equal(np.asarray(shown), np.asarray(picture))
        # One panel more where a model was told of instances.
        told = make(instance_masks=np.zeros((0, 20, 30), dtype=np.uint8))
        assert told[:2].plot().height > make()[:2].plot().height


class TestSaving:

    def test_files(self, tmp_path):
        saved = make(path='photos/cat.jpg').save(tmp_path / 'out')
        assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
            'cat.json', 'cat_1_mask.png', 'cat_2_mask.png', 'cat_3_mask.png', 'cat_overlay.png']
        for path, mask in zip(saved.masks, make().masks):
            assert np.array_equal(np.asarray(Image.open(path)), mask * np.uint8(255))
        assert np.array_equal(np.asarray(Image.open(saved.overlay)), np.asarray(make().plot()))
        record = json.loads(saved.json.read_text())
        assert record['source'].endswith('/photos/cat.jpg') and (record['height'], record['width']) == (20, 30)
        assert record['threshold'] == 0.35
        assert [one['mask'] for one in record['predictions']] == [path.name for path in saved.masks]
        assert record['predictions'][0]['bbox'] == [10, 5, 6, 3]

    def test_names(self, tmp_path):
        """The same image replaces its files; another one never does, whichever file would be hit."""
        first = make(path='a/cat.jpg').save(tmp_path)
        assert make(path='a/cat.jpg').save(tmp_path) == first
        other = make(path='b/cat.jpg').save(tmp_path)
        assert other.json.name == 'cat.jpg.json' and len({*first.masks, *other.masks}) == 6
        for path in (first.overlay, *first.masks):
            path.unlink()
        # Only the JSON file of a/cat.jpg is left.
        third = make(path='c/cat.jpg').save(tmp_path)
        assert third.json.name == 'cat.jpg-2.json' and 'a/cat.jpg' in first.json.read_text()
        assert make().save(tmp_path).overlay.name == 'image_overlay.png'
        assert make(path='a/cat.jpg').save(tmp_path, name='mine').json.name == 'mine.json'


class TestAsking:

    @pytest.fixture(scope='class')
    def predictor(self) -> Predictor:
        return Predictor(tiny_config(), device='cpu', threshold=0.25)

    def test_what_a_predictor_gives(self, predictor, tmp_path):
        image = np.zeros((40, 60, 3), np.uint8)
        Image.fromarray(image).save(tmp_path / 'black.png')
        predictor.set_image(tmp_path / 'black.png')
        one = predictor.predict(['the star', 'left one'])
        assert one.sentences == ('the star', 'left one') and one.probabilities.shape == (2, 40, 60)
        assert one.probabilities.dtype == np.float32 and one.threshold == 0.25
        assert np.array_equal(one.image, image) and one.path == str(tmp_path / 'black.png')
        predictor.set_image(image)
        assert predictor.predict('the star').path is None and predictor.predict('the star').instance_masks is None
