"""The protocol of LAVT beside Pillow, torchvision, and a plain computation of its scores, from files to numbers."""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from PIL import Image
from pycocotools import mask as coco_mask
from torchvision.transforms.functional import InterpolationMode, normalize, resize, to_tensor

from mmris.apis import Predictor
from mmris.apis.samples import build_expressions, predict_sample
from mmris.datasets.pipelines import resolve_pipelines
from mmris.engine.hooks import PredictionSheetHook
from mmris.engine.hooks import prediction_sheet_hook as sheet_module
from mmris.evaluation import ReferringIoUMetric
from mmris.evaluation.error_analysis import read_expression_rows
from mmris.models import ReferringDataPreprocessor
from mmris.protocols import PROTOCOLS, Geometry, Protocol, find_protocol
from mmris.protocols.geometry import letterbox_affine, nearest_pixels, stretch_affine
from mmris.registry import RUNNERS, TRANSFORMS
from mmris.structures import Answer
from mmris.visualization import ScoredPrediction
from tests.conftest import ROOT, edit_instances, square, write_set

# Height and width: enlarged, shrunk, both, odd, square, the input's own, long.
SIZES = [(240, 320), (640, 960), (640, 427), (333, 500), (61, 97), (480, 640), (480, 480), (1, 1500), (1500, 2)]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)


class TestStretching:

    @pytest.mark.parametrize('size', SIZES)
    @pytest.mark.parametrize('target', [(480, 480), (37, 481)])
    def test_image_and_masks_are_pillows(self, size, target):
        """To the last bit. Masks of the published code are of Pillow's mode P."""
        pixels, mask = noise(*size), (noise(*size)[..., 0] > 100).astype(np.uint8)
        step = TRANSFORMS.build(dict(type='PillowResize', size=target, nearest_masks=True))
        results = step(dict(img=pixels, gt_original=mask[None], instance_masks=mask[None]))
        assert np.array_equal(results['img'], np.asarray(resize(Image.fromarray(pixels), list(target))))
        expected = np.asarray(
            resize(Image.fromarray(mask).convert('P'), list(target), interpolation=InterpolationMode.NEAREST))
        assert np.array_equal(results['gt_input'][0], 255 * expected)
        assert np.array_equal(results['instance_input'][0], expected.astype(bool))
        assert np.array_equal(results['affine'], stretch_affine(size, target))

    def test_masks_are_interpolated_unless_said(self):
        mask = (noise(61, 97)[..., 0] > 100).astype(np.uint8)
        results = TRANSFORMS.build(dict(type='PillowResize', size=40))(dict(img=noise(61, 97), gt_original=mask[None]))
        assert len(np.unique(results['gt_input'])) > 100

    def test_what_a_model_gets(self):
        """As torchvision makes a tensor of it and normalises."""
        pixels = noise(333, 500)
        results = TRANSFORMS.build(dict(type='PillowResize', size=480))(dict(img=pixels))
        preprocessor = ReferringDataPreprocessor(
            mean=[255 * one for one in MEAN], std=[255 * one for one in STD])
        found = preprocessor.batch_images([torch.from_numpy(results['img']).permute(2, 0, 1)], [results['image_box']])
        expected = normalize(to_tensor(resize(Image.fromarray(pixels), [480, 480])), MEAN, STD)
        assert (found.pixels[0] - expected).abs().max() < 2e-6

    @pytest.mark.parametrize('original, count', [(640, 480), (480, 640), (960, 480), (333, 480), (480, 480), (1, 9),
                                                 (9, 1), (2, 5), (1280, 480), (720, 480)])
    def test_nearest_pixels(self, original, count):
        """Those of an image of several rows, and within half a pixel of the centres, whatever way a draw goes."""
        image = Image.fromarray(np.arange(original, dtype=np.int32)[None].repeat(7, axis=0))
        found = nearest_pixels(original, count)
        assert found.dtype == np.int64
        assert np.array_equal(np.asarray(image.resize((count, 5), Image.NEAREST)), found[None].repeat(5, axis=0))
        centres = (np.arange(count) + 0.5) * original / count
        assert np.abs(found + 0.5 - centres).max() <= 0.5 + 1e-9

    @pytest.mark.parametrize('size', SIZES)
    def test_masks_at_the_input(self, size):
        masks = torch.from_numpy(noise(*size).transpose(2, 0, 1) > 100)
        found = PROTOCOLS['lavt'].masks_at_input(masks, (48, 37))
        expected = [Image.fromarray(one.astype(np.uint8)).resize((37, 48), Image.NEAREST) for one in masks.numpy()]
        assert found.dtype == torch.bool and np.array_equal(found.numpy(), np.stack(expected).astype(bool))


class TestProbabilities:

    def test_a_pixel_is_predicted_where_the_second_class_is_larger(self):
        """Also where float32's sigmoid of the difference is 1/2 itself; the first class wins a draw."""
        classes = torch.randn(3, 2, 24, 20, generator=torch.Generator().manual_seed(0))
        classes[0, 1] = classes[0, 0] + 1e-7 * torch.randn(24, 20, generator=torch.Generator().manual_seed(1))
        classes[1, 1, :9] = classes[1, 0, :9]
        difference = classes[:, 1:] - classes[:, :1]
        assert ((difference > 0) & (difference.sigmoid() == 0.5)).any() and (difference == 0).any()
        protocol = PROTOCOLS['lavt']
        found = protocol.masks(protocol.probabilities_at_input(difference, (24, 20)))
        assert torch.equal(found, classes.argmax(dim=1) == 1)

    def test_a_coarser_grid(self):
        logits = torch.randn(2, 1, 12, 10, generator=torch.Generator().manual_seed(0))
        found = PROTOCOLS['lavt'].probabilities_at_input(logits.half(), (48, 40))
        expected = F.interpolate(logits.half().float(), size=(48, 40), mode='bilinear', align_corners=False)[:, 0]
        assert torch.allclose(found, expected.sigmoid(), atol=1e-6)

    def test_people_get_the_original_pixels(self):
        """By the way back of protocol mmris, whose probabilities are the same."""
        logits = torch.randn(2, 1, 24, 20, generator=torch.Generator().manual_seed(0))
        given = logits, stretch_affine((31, 57), (24, 20)), (24, 20), (31, 57)
        assert torch.equal(PROTOCOLS['lavt'].to_original_pixels(*given), PROTOCOLS['mmris'].to_original_pixels(*given))


class TestErrors:

    def test_a_geometry_that_does_not_stretch(self):
        for geometry in (None, Geometry('Letterbox', letterbox_affine)):
            with pytest.raises(ValueError, match='Protocol one scores at the input, to which masks are stretched, so '
                               'its geometry must stretch images too. Give it one with stretch_affine, such as that'):
                Protocol('one', geometry=geometry, at_input=True)

    def test_another_way_back(self):
        with pytest.raises(ValueError, match='Protocol lavt scores at the input, so a way back to the original pixels '
                           r'.model.resampling=cris. would have no effect on its scores. Leave it out, or choose'):
            find_protocol('lavt', 'cris')

    def test_predictions_that_were_saved(self):
        """On original pixels, as people get them."""
        sample = dict(
            img_id=1, img_path='one.jpg', text=['it'], ref_ids=[1], sent_ids=[1], protocol='lavt',
            gt_original=torch.ones(1, 4, 5, dtype=torch.bool), probabilities=torch.ones(1, 4, 5))
        with pytest.raises(ValueError, match='one.jpg has no probabilities_input, predictions on the pixels of the '
                           'input, where protocol lavt scores. A model that has model.protocol=lavt makes them in '
                           'evaluation; predictions that were saved on the original pixels cannot be scored so. Run '
                           'mmris test, or choose a protocol that scores on the original pixels, such as mmris.'):
            ReferringIoUMetric().process({}, [sample])
        ReferringIoUMetric().process({}, [dict(sample, probabilities_input=torch.ones(1, 9, 9))])


def test_ignored_pixels_go_to_the_input_as_targets_do(monkeypatch):
    """Of a protocol that leaves them out."""
    lavt = PROTOCOLS['lavt']
    monkeypatch.setitem(PROTOCOLS, 'one', replace(lavt, name='one', scoring=replace(lavt.scoring, uses_ignored=True)))
    target, ignored = torch.zeros(2, 1, 20, 30, dtype=torch.bool)
    target[:, 5:12, 7:20] = ignored[:, 8:16, 3:13] = True
    predicted = torch.rand(1, 13, 11, generator=torch.Generator().manual_seed(0))
    metric = ReferringIoUMetric()
    metric.process({}, [
        dict(img_id=1, img_path='', text=['it'], ref_ids=[1], sent_ids=[1], protocol='one', gt_original=target,
             gt_ignored=ignored, probabilities=None, probabilities_input=predicted)])
    counts = metric.results[0].counts.read()
    mask, left_out = (np.asarray(Image.fromarray(one[0].numpy().astype(np.uint8)).resize((11, 13), Image.NEAREST)) > 0
                      for one in (target, ignored))
    mine = predicted[0].numpy() > 0.5
    assert counts.intersection == (mine & mask & ~left_out).sum() < (mine & mask).sum()
    assert counts.union == ((mine | mask) & ~left_out).sum()


def make_config(folder: Path, size: object, protocol: str = 'lavt') -> Config:
    config = Config.fromfile(ROOT / 'configs/cm_masksd/vit-tiny_shaperef.py')
    config.merge_from_dict({'inputs.views.main.size': size, 'model.protocol': protocol, 'default_scope': 'mmris',
                            'work_dir': str(folder / 'work'), 'experiment_name': f'{folder.name}_{protocol}_{size}'})
    config.visualizer.name = config.experiment_name
    config.test_dataloader.update(batch_size=2, num_workers=0)
    config.test_dataloader.dataset.update(data_root=str(folder / 'set'), refs_file='refs(unc).p')
    config.test_cfg = dict(
        type='SplitTestLoop', splits=dict(val=dict(split='val'), val_exchanged=dict(split='val', control='exchanged')),
        dump_file=str(folder / f'{protocol}.jsonl'))
    for name in ('train_dataloader', 'val_dataloader', 'train_cfg', 'val_cfg', 'optim_wrapper', 'param_scheduler',
                 'val_evaluator'):
        config[name] = None
    config.test_evaluator = dict(type='ReferringIoUMetric')
    resolve_pipelines(config)
    return config


def logits_of(sentence: str, size: tuple, divisor: int) -> torch.Tensor:
    """Made-up logits of two classes, ``(2, h, w)``, that the sentence alone decides: an area of some outline."""
    generator = torch.Generator().manual_seed(sum(map(ord, sentence)))
    coarse = torch.randn(1, 2, 5, 5, generator=generator)
    coarse[:, 1] -= 0.4
    if 'image 5' in sentence:
        # Of these nothing is predicted.
        coarse[:, 0] += 9
    grid = tuple(side // divisor for side in size)
    return 4 * F.interpolate(coarse, size=grid, mode='bicubic', align_corners=False)[0]


def evaluate(config: Config, size: tuple, divisor: int) -> dict:
    """Through runner, pipeline, model and metric. Of the model, what computes logits is replaced."""
    runner = RUNNERS.build(config)

    def answer(inputs: object) -> Answer:
        classes = torch.stack([logits_of(text, size, divisor) for sample in seen.samples for text in sample.text])
        return Answer(classes[:, 1:] - classes[:, :1], None)

    seen, predict = SimpleNamespace(samples=()), runner.model.predict

    def watched(inputs: object, samples: list) -> list:
        seen.samples = samples
        return predict(inputs, samples)

    runner.model._answer_batch, runner.model.predict = answer, watched
    return runner.test()


def reference(folder: Path, size: tuple, divisor: int) -> tuple:
    """Scores in percent, and I and U by sentence: read from the files, as the published code computes them.

    But for pixels where polygons of an object overlap: they are its own here.
    """
    instances = json.loads((folder / 'instances.json').read_text())
    objects = {one['id']: one for one in instances['annotations']}
    images = {one['id']: one for one in instances['images']}
    counts, ious, cumulative_i, cumulative_u = {}, [], 0, 0
    reached = dict.fromkeys(THRESHOLDS, 0)
    for ref in pickle.loads((folder / 'refs(unc).p').read_bytes()):
        height, width = images[ref['image_id']]['height'], images[ref['image_id']]['width']
        runs = coco_mask.frPyObjects(objects[ref['ann_id']]['segmentation'], height, width)
        mask = Image.fromarray(coco_mask.decode(runs).sum(axis=2).astype(np.uint8)).convert('P')
        target = np.asarray(resize(mask, list(size), interpolation=InterpolationMode.NEAREST))
        for sentence in ref['sentences']:
            classes = logits_of(sentence['sent'], size, divisor)[None]
            output = F.interpolate(classes, size=size, mode='bilinear', align_corners=False).argmax(1)[0].numpy()
            intersection = int(np.sum(np.logical_and(output, target)))
            union = int(np.sum(np.logical_or(output, target)))
            iou = 0.0 if union == 0 else intersection * 1.0 / union
            counts[sentence['sent_id']] = intersection, union
            ious.append(iou)
            cumulative_i, cumulative_u = cumulative_i + intersection, cumulative_u + union
            for threshold in THRESHOLDS:
                reached[threshold] += iou >= threshold
    scores = dict(oIoU=cumulative_i * 100. / cumulative_u, mIoU=100 * np.mean(np.array(ious)))
    return {**scores, **{f'Pr@{x}': count * 100. / len(ious) for x, count in reached.items()}}, counts


@pytest.fixture
def folder(tmp_path):
    """With an object so small that a stretch may lose it, and with large ones."""
    write_set(tmp_path / 'set', sentences=2)

    def change(instances: dict) -> None:
        instances['annotations'][-1]['segmentation'] = [square(30, 7, 1)]
        for one in instances['annotations'][:8]:
            one['segmentation'] = [square(5, 2, 25), square(20, 20, 15)]

    edit_instances(tmp_path / 'set', change)
    return tmp_path


@pytest.mark.parametrize('size, divisor', [((16, 20), 1), ((64, 64), 1), ((72, 40), 4)])
def test_scores_equal_those_of_a_plain_computation(folder, size, divisor):
    """Images of 43 to 55 x 62 to 54 pixels are enlarged, shrunk, or both."""
    found = evaluate(make_config(folder, size), size, divisor)
    expected, counts = reference(folder / 'set', size, divisor)
    assert {name: found[f'val/{name}'] for name in expected} == pytest.approx(expected, abs=1e-9)
    assert found['val/expressions'] == 30 and 0 < expected['oIoU'] < 100 and expected['Pr@0.5'] < 100
    rows = read_expression_rows(folder / 'lavt.jsonl')
    assert {row['sent_id']: (row['intersection'], row['union']) for row in rows['val']} == counts
    assert {(row['protocol'], row['threshold'], row['image_pixels']) for row in rows['val']} == {
        ('lavt', 0.5, size[0] * size[1])}
    assert found['val_exchanged/expressions'] == 30 and found['val_exchanged/mIoU'] != found['val/mIoU']
    if size == (16, 20):
        # Nothing is left of the smallest object, and nothing is predicted for it: 0, in the mean too.
        assert sum(union == 0 for _, union in counts.values()) == 2
        empty = [row for row in rows['val'] if row['union'] == 0]
        assert [row['iou'] for row in empty] == [0, 0] and all(row['target_pixels'] == 0 for row in empty)


def test_the_same_logits_score_otherwise_on_the_original_pixels(folder):
    at_input = evaluate(make_config(folder, (16, 20)), (16, 20), 1)
    config = make_config(folder, (16, 20), 'mmris')
    config.inputs.views.main.type = 'PillowResize'
    config.test_evaluator.threshold = 0.5
    resolve_pipelines(config)
    original = evaluate(config, (16, 20), 1)
    assert 0.05 < abs(at_input['val/oIoU'] - original['val/oIoU']) < 10
    rows = read_expression_rows(folder / 'mmris.jsonl')['val']
    assert {row['image_pixels'] for row in rows} == {(40 + 3 * one) * (64 - 2 * one) for one in range(1, 6)}


def test_one_key_of_a_config(folder):
    """Of all loaders. A step that does it already keeps what it says of masks."""
    config = Config.fromfile(ROOT / 'configs/cm_masksd/vit-tiny_shaperef.py')
    config.model.protocol = 'lavt'
    resolve_pipelines(config)
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        assert dict(type='PillowResize', size=config.inputs.views.main.size) in loader.dataset.pipeline, loader
    config.inputs.views.main = dict(type='PillowResize', size=48, nearest_masks=True)
    resolve_pipelines(config)
    assert dict(type='PillowResize', size=48, nearest_masks=True) in config.train_dataloader.dataset.pipeline


def test_a_predictor(folder):
    config = make_config(folder, 128)
    predictor = Predictor(config, device='cpu')
    predictor.set_image(noise(30, 50))
    found = predictor.predict(['the circle', 'the star'])
    assert found.probabilities.shape == (2, 30, 50) and found.protocol.name == 'lavt' and found.threshold == 0.5
    assert predictor.model.protocol.at_input


def test_pictures_have_the_iou_that_is_scored(folder):
    """Of real logits, on sheets of a validation, and where tools predict again."""
    config = make_config(folder, 64)
    config.test_cfg.splits = dict(val=dict(split='val'))
    torch.manual_seed(0)
    predictor = Predictor(config, device='cpu')
    predictor.set_image(next((folder / 'set/images').glob('*1.jpg')))
    # Of random weights, few probabilities are above a half.
    sentences = [f'square {number} of image {number + 1}' for number in range(3)]
    config.test_evaluator.threshold = float(np.median(predictor.predict(sentences).probabilities))
    torch.save(dict(state_dict=predictor.model.state_dict()), folder / 'weights.pth')
    runner, hook, drawn = RUNNERS.build(config), PredictionSheetHook(number=99), {}
    runner.model.load_state_dict(predictor.model.state_dict())
    hook._due = True
    predict = runner.model.test_step

    def watched(batch: object) -> list:
        samples = predict(batch)
        hook.after_val_iter(SimpleNamespace(val_loop=runner.test_loop), 0, None, samples)
        return samples

    runner.model.test_step = watched
    runner.test()
    rows = {row['text']: row['iou'] for row in read_expression_rows(folder / 'lavt.jsonl')['val']}
    for _, entry in hook._kept.values():
        made = sheet_module._with_image(entry)
        drawn[made.text] = made.iou
        assert made.mask.shape == made.target.shape == made.image.shape[:2] != made.at_input[0].shape == (64, 64)
    assert len(drawn) == 5 and drawn == {text: rows[text] for text in drawn} and max(drawn.values()) > 0
    predictor, dataset = Predictor(config, folder / 'weights.pth', device='cpu'), build_expressions(config, 'val')
    found = [predict_sample(predictor, dataset, index) for index in range(4)]
    assert [one.iou for one in found] == pytest.approx([rows[one.text] for one in found], abs=0.01)
    assert any(one.iou != ScoredPrediction(one.text, one.image, one.target, one.mask, one.scoring).iou for one in found)
