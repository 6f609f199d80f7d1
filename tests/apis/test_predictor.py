"""Set an image, then ask."""

import io

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from PIL import Image

from mmris.apis import Predictor
from mmris.apis.samples import build_expressions, predict_sample
from mmris.datasets.instance_masks import sample_masks
from mmris.registry import DATASETS
from tests.conftest import edit_instances, tiny_config, write_set

MAIL = 'mail/tiny_shaperef.py'


@pytest.fixture
def predictor():
    torch.manual_seed(0)
    return Predictor(tiny_config(), device='cpu')


def photograph(height: int = 60, width: int = 90) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)


def test_three_sentences_encode_the_image_once(predictor):
    calls = dict(image=0, text=0)

    def count(name):

        def hook(*_):
            calls[name] += 1

        return hook

    predictor.model.encoder.image.clip.transformer.resblocks[0].register_forward_hook(count('image'))
    predictor.model.encoder.text.clip.transformer.register_forward_hook(count('text'))
    predictor.set_image(photograph())
    for sentence in ('a red circle', 'the star', 'left one'):
        assert predictor.predict(sentence).masks.shape == (1, 60, 90)
    assert predictor.predict(['a red circle', 'the star', 'left one']).masks.shape == (3, 60, 90)
    assert calls == dict(image=1, text=3)


def test_it_predicts_what_evaluation_does(predictor, tmp_path):
    folder = write_set(tmp_path / 'set')
    config = tiny_config().test_dataloader.dataset
    config.data_root = str(folder)
    sample, expected = evaluate(predictor, DATASETS.build(config), 2)
    predictor.set_image(sample.img_path)
    asked = predictor.predict(sample.text).probabilities
    assert np.abs(asked - expected).max() < 1e-5


def evaluate(predictor, dataset, index):
    """A sample, and the probabilities that evaluation scores."""
    packed = dataset[index]
    with torch.no_grad():
        inputs = dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']])
        return packed['data_samples'], predictor.model.test_step(inputs)[0].probabilities.numpy()


@pytest.mark.parametrize('upright, size', [(False, (43, 62)), (True, (62, 43))])
def test_samples_are_drawn_as_they_are_scored(predictor, tmp_path, upright, size):
    """On the stored pixels whatever the EXIF says, or upright where the pipeline says that they were annotated so."""
    folder = write_set(tmp_path / 'set')
    path = folder / 'images' / 'COCO_train2014_000000000001.jpg'
    with Image.open(path) as picture:
        exif = picture.getexif()
        exif[0x0112] = 6
        picture.save(path, exif=exif, quality='keep')
    edit_instances(folder, lambda instances: instances['images'][0].update(height=size[0], width=size[1]))
    config = tiny_config()
    config.test_dataloader.dataset.data_root = str(folder)
    config.test_dataloader.dataset.pipeline[0].update(type='LoadImage', upright=upright)
    dataset = build_expressions(config, 'val')
    assert len(dataset) == 15
    sample, expected = evaluate(predictor, dataset, 1)
    threshold = float(np.median(expected))
    predictor.protocol = predictor.protocol.with_threshold(threshold)
    drawn = predict_sample(predictor, dataset, 1)
    assert drawn.image.shape == (*size, 3) and drawn.text == sample.text[0]
    assert drawn.target.sum() == 100 and drawn.target.shape == drawn.mask.shape
    assert 0.4 < drawn.mask.mean() < 0.6 and (drawn.mask == (expected[0] > threshold)).mean() > 0.999


def test_files_arrays_and_pictures_are_the_same(predictor, tmp_path):
    pixels, path = photograph(), tmp_path / 'photo.png'
    Image.fromarray(pixels).save(path)
    results = []
    for image in (pixels, Image.fromarray(pixels), path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes())):
        predictor.set_image(image)
        results.append(predictor.predict('the star').probabilities)
    assert all(np.array_equal(results[0], other) for other in results[1:])


def test_a_picture_of_16_bits_is_the_same_as_its_file(predictor, tmp_path):
    picture = Image.fromarray(photograph()[..., 0].astype(np.uint16) * 257)
    picture.save(tmp_path / 'scan.png')
    for image in (picture, tmp_path / 'scan.png'):
        predictor.set_image(image)
        assert np.array_equal(predictor.image, photograph()[..., :1].repeat(3, axis=2))


def test_photographs_are_turned_upright(predictor, tmp_path):
    """As a file, and as a picture that still carries the tag."""
    picture = Image.fromarray(photograph(60, 90))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / 'turned.png', exif=exif)
    for image in (tmp_path / 'turned.png', Image.open(tmp_path / 'turned.png'), picture):
        predictor.set_image(image)
        assert np.array_equal(predictor.image, np.rot90(photograph(60, 90), -1))


def test_an_empty_sentence_is_one(predictor):
    predictor.set_image(photograph())
    assert np.isfinite(predictor.predict('').probabilities).all()


def test_errors(predictor, tmp_path):
    with pytest.raises(RuntimeError, match='no image yet: call set_image first'):
        predictor.predict('the star')
    with pytest.raises(FileNotFoundError, match='There is no image .*nowhere.jpg'):
        predictor.set_image(tmp_path / 'nowhere.jpg')
    (tmp_path / 'text.jpg').write_text('not an image')
    with pytest.raises(ValueError, match='text.jpg is of no image format that Pillow reads'):
        predictor.set_image(tmp_path / 'text.jpg')
    for empty in (np.zeros((0, 5, 3), np.uint8), Image.new('RGB', (5, 0))):
        with pytest.raises(ValueError, match=r'at least one pixel, but got 0 x 5 \(height x width\): look at how'):
            predictor.set_image(empty)
    with pytest.raises(ValueError, match="The PIL image has the mode 'F' of Pillow, .*: convert it to 8 bits"):
        predictor.set_image(Image.new('F', (5, 4)))
    predictor.set_image(photograph())
    with pytest.raises(ValueError, match='no sentence to predict for'):
        predictor.predict([])


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_a_gpu_that_is_not_there():
    with pytest.raises(ValueError, match="device is 'cuda:0', but there is no GPU that PyTorch can use: take 'cpu'"):
        Predictor('configs/cm_masksd/vit-tiny_shaperef.py', device='cuda:0')


@pytest.mark.parametrize('device', ['gpu', '', 'cuda:first'])
def test_a_device_that_is_none(device):
    with pytest.raises(ValueError, match=f"device is '{device}', but PyTorch knows no such device: take 'cpu', or "
                       "'cuda:0' for a GPU"):
        Predictor('configs/cm_masksd/vit-tiny_shaperef.py', device=device)


def test_a_gpu_beyond_the_last(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    with pytest.raises(ValueError, match="device is 'cuda:2', but the last GPU is 'cuda:1': take one that there is"):
        Predictor('configs/cm_masksd/vit-tiny_shaperef.py', device='cuda:2')


class TestLoading:

    def test_a_checkpoint_of_training(self, predictor, tmp_path):
        """As MMEngine writes it, with its message hub and optimiser."""
        from mmengine.logging import HistoryBuffer
        path = tmp_path / 'epoch_1.pth'
        hub = dict(log_scalars={'train/loss': HistoryBuffer([1.0, 2.0], [1, 1])}, runtime_info=dict(step=np.int64(3)))
        torch.save(
            dict(state_dict=predictor.model.state_dict(), message_hub=hub, meta=dict(lr=np.float64(0.1))), path)
        torch.manual_seed(1)
        loaded = Predictor(tiny_config(), path, device='cpu')
        for mine, theirs in zip(predictor.model.state_dict().values(), loaded.model.state_dict().values()):
            assert torch.equal(mine, theirs)

    def test_truncated(self, predictor, tmp_path):
        path = tmp_path / 'half.pth'
        torch.save(predictor.model.state_dict(), path)
        path.write_bytes(path.read_bytes()[:1000])
        with pytest.raises(ValueError, match='half.pth cannot be read as a checkpoint'):
            Predictor(tiny_config(), path)

    def test_malicious(self, tmp_path):
        import os

        class Malicious:

            def __reduce__(self):
                return os.mkdir, (str(tmp_path / 'made'), )

        path = tmp_path / 'bad.pth'
        torch.save(dict(state_dict=Malicious()), path)
        with pytest.raises(ValueError, match='bad.pth cannot be read as a checkpoint'):
            Predictor(tiny_config(), path)
        assert not (tmp_path / 'made').exists()

    def test_of_another_model(self, predictor, tmp_path):
        path = tmp_path / 'other.pth'
        state = predictor.model.state_dict()
        state['neck.more.weight'] = state.pop('neck.aggregate.0.weight')
        torch.save(dict(state_dict=state), path)
        with pytest.raises(
                RuntimeError, match='Missing: neck.aggregate.0.weight. Left over: neck.more.weight. Use the config'):
            Predictor(tiny_config(), path)

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='There is no checkpoint'):
            Predictor(tiny_config(), tmp_path / 'none.pth')
        with pytest.raises(FileNotFoundError, match='There is no config'):
            Predictor(tmp_path / 'none.py')


class TestInstanceMasks:
    """Of a config that takes them; no weights are needed for masks to make a difference."""

    @pytest.fixture(scope='class')
    def trimodal(self):
        init_default_scope('mmris')
        torch.manual_seed(0)
        return Predictor(tiny_config(MAIL), device='cpu')

    def ask(self, predictor, masks):
        predictor.set_image(photograph(), masks)
        return predictor.predict(['the star', 'left one']).probabilities

    def test_it_predicts_what_evaluation_does(self, trimodal, tmp_path):
        """On images of other proportions than the input, with masks of several sizes and with none."""
        config = tiny_config(MAIL).test_dataloader.dataset
        config.data_root = str(write_set(tmp_path / 'set', images=3))
        for control in (None, 'no_masks'):
            dataset = DATASETS.build(dict(config, control=control))
            packed = dataset[1]
            sample = packed['data_samples']
            with torch.no_grad():
                batch = dict(inputs=[packed['inputs']], data_samples=[sample])
                evaluated = trimodal.model.test_step(batch)[0].probabilities.numpy()
            masks = sample_masks(dataset.get_data_info(1))
            assert len(masks) == (0 if control else 3)
            trimodal.set_image(sample.img_path, masks)
            assert np.abs(trimodal.predict(sample.text).probabilities - evaluated).max() < 1e-5

    def test_form(self, trimodal):
        """Whatever is not 0 is inside; masks tell, and none is the same as an array of none."""
        masks = np.zeros((2, 60, 90), dtype=np.uint8)
        masks[0, 10:30, 20:50], masks[1, 40:, :30] = 1, 1
        told, nothing = self.ask(trimodal, masks), self.ask(trimodal, None)
        assert np.array_equal(told, self.ask(trimodal, masks * 255))
        assert np.array_equal(told, self.ask(trimodal, masks.astype(bool)))
        assert np.array_equal(nothing, self.ask(trimodal, masks[:0]))
        assert np.abs(told - nothing).max() > 1e-5
        assert np.abs(told - self.ask(trimodal, masks[:1])).max() > 1e-6

    @pytest.mark.parametrize('masks, message', [
        (np.zeros((60, 90), bool), r'\(number, height, width\) bool or uint8 array, but got bool of shape \(60, 90\)'),
        (np.zeros((1, 60, 90)), r'bool or uint8 array, but got float64 of shape \(1, 60, 90\)'),
        ([[[1]]], 'bool or uint8 array, but got list'),
        (np.zeros((1, 90, 60), bool), r'are 90 x 60 pixels .* their image is 60 x 90: masks are on the original'),
    ])
    def test_bad_ones(self, trimodal, masks, message):
        with pytest.raises(ValueError, match=message):
            trimodal.set_image(photograph(), masks)

    def test_a_config_that_takes_none(self, predictor, trimodal):
        assert trimodal.takes_instance_masks and not predictor.takes_instance_masks
        with pytest.raises(ValueError, match='The model takes no instance masks in. Leave them out'):
            predictor.set_image(photograph(), np.zeros((1, 60, 90), bool))
