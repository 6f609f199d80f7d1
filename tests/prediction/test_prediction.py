"""What a prediction says, draws and writes."""

import builtins
import io
import json

import numpy as np
import pytest
import torch
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

    @pytest.mark.parametrize('threshold', [np.float32(0.5), np.float64(0.5), torch.tensor(0.5)])
    def test_a_threshold_of_another_type(self, threshold, tmp_path):
        one = make().with_threshold(threshold)
        assert one.threshold == 0.5 and type(one.threshold) is float and one.save(tmp_path).json.is_file()

    @pytest.mark.parametrize('name', ['probabilities', 'masks', 'areas', 'boxes', 'scores'])
    def test_nothing_is_changed_in_place(self, name):
        """What follows from what is computed once."""
        one = make()
        with pytest.raises(ValueError, match='read-only'):
            getattr(one, name)[0] = 1

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
        assert one[one.scores > 0.5].sentences == SENTENCES[:2] and one[[2, 0]].areas.tolist() == [0, 18]
        assert len(one[[]]) == 0 and len(one[one.scores > 2]) == 0

    @pytest.mark.parametrize('which', [3, -4])
    def test_beyond_the_last(self, which):
        with pytest.raises(IndexError, match=f'There is no prediction {which}: there are 3, from 0 to 2'):
            make()[which]

    @pytest.mark.parametrize('which, kind', [('the star', 'str'), (True, 'bool'), (0.5, 'float')])
    def test_another_index(self, which, kind):
        with pytest.raises(TypeError, match=f'whole number, a slice, or a list .* or bools, but got {kind}'):
            make()[which]

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

    def test_images_that_are_no_files(self, tmp_path):
        """They are the same if their pixels are."""
        other = make(image=np.zeros((20, 30, 3), dtype=np.uint8))
        found = [one.save(tmp_path).json.name for one in (make(), other, make(), other)]
        assert found == ['image.json', 'image-2.json'] * 2
        assert json.loads((tmp_path / 'image.json').read_text())['source'].startswith('sha256:')

    def test_a_name(self, tmp_path):
        """It is taken as it is, and does not hide which image it was."""
        assert make(path='a/cat.jpg').save(tmp_path, name='v1.2').json.name == 'v1.2.json'
        assert make(path='b/dog.jpg').save(tmp_path, name='v1.2').json.name == 'v1.2-2.json'
        assert json.loads((tmp_path / 'v1.2-2.json').read_text())['source'].endswith('/b/dog.jpg')

    @pytest.mark.parametrize('name', ['', 'a/b', '/', 'a\nb'])
    def test_a_name_that_is_none(self, tmp_path, name):
        with pytest.raises(ValueError, match='cannot begin the name of a file: give text on one line without "/"'):
            make().save(tmp_path / 'out', name=name)
        assert not (tmp_path / 'out').exists()

    def test_fewer_sentences(self, tmp_path):
        """Masks of sentences that are not asked any more go; another image's, and a file of the user's, stay."""
        make(path='cat.jpg').save(tmp_path)
        make(path='b/cat.jpg').save(tmp_path)
        (tmp_path / 'cat_4_mask.png').write_text('mine')
        make(path='cat.jpg')[:1].save(tmp_path)
        assert sorted(path.name for path in tmp_path.glob('*mask.png')) == [
            'cat.jpg_1_mask.png', 'cat.jpg_2_mask.png', 'cat.jpg_3_mask.png', 'cat_1_mask.png', 'cat_4_mask.png']

    def test_an_empty_prediction(self, tmp_path):
        for use in (lambda one: one.plot(), lambda one: one.save(tmp_path / 'out')):
            with pytest.raises(ValueError, match='The prediction is empty, so there is nothing to draw'):
                use(make()[3:])
        assert not (tmp_path / 'out').exists() and make()[3:].to_coco() == []
        with pytest.raises(IndexError, match='There is no prediction 0: there is none'):
            make()[3:][0]


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


class TestExistence:
    """Whether anything fits: by the model's head, or else by the mask."""

    def answer(self, **changes):
        return make(existence=np.array([0.9, 0.2, 0.5], dtype=np.float32), **changes)

    def test_by_the_head(self):
        one = self.answer()
        assert one.exists.tolist() == [True, False, True] and one.areas.tolist() == [18, 0, 0]
        assert one.masks[0].sum() == 18 and not one.masks[1].any() and one.boxes[1].tolist() == [0, 0, 0, 0]
        # What the model said of the pixels stays.
        assert one.probabilities[1].max() == 1
        assert one.notes == ('3.0% of the image, score 0.79, 90% sure that something fits',
                             'nothing in the picture fits (80% sure)',
                             '0.0% of the image, score 0.00, 50% sure that something fits')

    def test_its_threshold(self):
        assert self.answer(existence_threshold=0.1).exists.tolist() == [True, True, True]
        assert self.answer(existence_threshold=0.9).exists.tolist() == [True, False, False]

    def test_another_threshold(self):
        one = self.answer()
        assert one.with_existence_threshold(0.1).areas.tolist() == [18, 2, 0] and one.areas.tolist() == [18, 0, 0]
        assert one.with_existence_threshold(0.9).with_threshold(0.7).exists.tolist() == [True, False, False]
        with pytest.raises(ValueError, match=r'existence_threshold is a probability in \(0, 1\), but got 1'):
            one.with_existence_threshold(1)
        with pytest.raises(ValueError, match='has no existence head, so an existence_threshold of 0.3 would have no'):
            make().with_existence_threshold(0.3)

    def test_without_a_head(self):
        one = make()
        assert one.existence is None and one.exists.tolist() == [True, True, False]
        assert one.notes[2] == 'nothing in the picture fits' and one.notes[1] == '0.3% of the image, score 0.70'

    def test_in_parts_and_files(self, tmp_path):
        one = self.answer()
        assert one[1].exists.tolist() == [False] and one[[0, 2]].existence.tolist() == [np.float32(0.9), 0.5]
        with pytest.raises(ValueError, match='read-only'):
            one.existence[0] = 0
        assert [entry['existence'] for entry in one.to_coco()] == one.existence.tolist()
        assert 'existence' not in make().to_coco()[0]
        written = json.loads(one.save(tmp_path).json.read_text())
        assert written['existence_threshold'] == 0.5
        assert [entry['existence'] for entry in written['predictions']] == one.existence.tolist()
        assert np.asarray(Image.open(one.save(tmp_path).masks[1])).max() == 0
