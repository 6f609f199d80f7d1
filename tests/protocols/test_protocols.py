"""What holds for every protocol, and how a config's protocol reaches whatever makes or scores masks."""

import argparse

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger

from mmris.apis import Predictor
from mmris.command_line.arguments import add_config_arguments
from mmris.datasets.pipelines import is_geometry, resolve_pipelines
from mmris.evaluation import ReferringIoUMetric
from mmris.models.segmentors import ReferringSegmentor
from mmris.protocols import PROTOCOLS, RESAMPLINGS, Protocol, find_protocol
from mmris.protocols.geometry import (
    cris_affine,
    letterbox_affine,
    letterbox_box,
    longest_side_affine,
    longest_side_size,
    stretch_affine,
)
from mmris.registry import MODELS, RUNNERS, TRANSFORMS
from mmris.utils import type_name
from mmris.utils.configs import read_config
from tests.conftest import ROOT, tiny_config
from tests.test_configs import batch_of

AFFINES = dict(
    Letterbox=letterbox_affine,
    CRISWarp=cris_affine,
    Resize=stretch_affine,
    ResizeLongestSide=longest_side_affine,
    PillowResize=stretch_affine,
    LongestSideThenStretch=stretch_affine)


def logits_of(count: int = 2) -> torch.Tensor:
    return 3 * torch.randn(count, 1, 16, 16, generator=torch.Generator().manual_seed(0))


def read(*options: str) -> Config:
    parser = argparse.ArgumentParser()
    add_config_arguments(parser)
    return read_config(parser.parse_args([str(ROOT / 'configs/cris/rn-tiny_shaperef.py'), '--cfg-options', *options]))


def geometry_steps(config: Config) -> list:
    return [
        step for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader)
        for step in loader.dataset.pipeline if is_geometry(step)
    ]


def unresolved() -> Config:
    return Config.fromfile(ROOT / 'configs/cm_masksd/vit-tiny_shaperef.py')


@pytest.mark.parametrize('name', PROTOCOLS)
def test_probabilities_and_masks(name):
    protocol = find_protocol(name)
    step = protocol.geometry.step if protocol.geometry else 'Letterbox'
    affine = AFFINES[step]((37, 61), (64, 64))
    found = protocol.to_original_pixels(logits_of(), affine, (64, 64), (37, 61))
    assert found.shape == (2, 37, 61) and found.dtype == torch.float32 and 0 <= found.min() and found.max() <= 1
    assert protocol.binary == (set(found.unique().tolist()) <= {0, 1})
    assert torch.equal(protocol.masks(found), found > protocol.threshold)
    assert np.array_equal(protocol.masks(found.numpy()), found.numpy() > protocol.threshold)
    # Sentences do not depend on one another.
    alone = protocol.to_original_pixels(logits_of()[1:], affine, (64, 64), (37, 61))
    assert torch.equal(alone[0], found[1])


def test_a_pixel_at_the_threshold():
    values = torch.tensor([0.25, 0.5, 0.75])
    protocol = Protocol('one', threshold=0.5)
    assert protocol.masks(values).tolist() == [False, False, True]


@pytest.mark.parametrize('name, other', [('cris', 'Letterbox'), ('cris', 'Resize'), ('shared_ris', 'Letterbox'),
                                         ('shared_ris', 'CRISWarp'), ('evf_sam', 'Letterbox'),
                                         ('evf_sam2', 'Letterbox'), ('evf_sam2_multitask', 'ResizeLongestSide'),
                                         ('lavt', 'Letterbox'), ('lavt', 'CRISWarp')])
def test_images_that_went_in_otherwise_are_refused(name, other):
    protocol = find_protocol(name)
    affine = AFFINES[other]((480, 640), (416, 416))
    message = (f'Protocol {name} scores images that became inputs by {protocol.geometry.step}, but one of 480 x 640 '
               f'pixels .height x width. did so by another step. Put {protocol.geometry.step} into the pipeline')
    with pytest.raises(ValueError, match=message):
        protocol.to_original_pixels(logits_of(), affine, (416, 416), (480, 640))


@pytest.mark.parametrize('step', AFFINES)
@pytest.mark.parametrize('original', [(30, 44), (427, 640), (61, 97), (1, 200), (200, 1)])
def test_what_a_step_says_of_its_map_is_the_protocols(step, original):
    """Steps and protocols compute one map."""
    results = TRANSFORMS.build(dict(type=step, size=(40, 72)))(dict(img=np.zeros((*original, 3), dtype=np.uint8)))
    assert np.array_equal(results['affine'], AFFINES[step](original, (40, 72)))


@pytest.mark.parametrize('original', [(30, 44), (427, 640), (640, 427), (61, 97), (3, 5), (1, 1), (1, 5000), (5000, 1)])
@pytest.mark.parametrize('size', [(576, 576), (40, 72), (33, 32)])
def test_a_letterbox_fills_whole_pixels(original, size):
    """One side fills the input. The other keeps the proportions and is centred, as nearly as whole pixels can."""
    x0, y0, x1, y1 = letterbox_box(original, size)
    (height, width), scale = (y1 - y0, x1 - x0), min(size[0] / original[0], size[1] / original[1])
    assert all(isinstance(one, int) for one in (x0, y0, x1, y1)) and (height == size[0] or width == size[1])
    for inner, side, limit, before in ((height, original[0], size[0], y0), (width, original[1], size[1], x0)):
        assert 1 <= inner <= limit and (abs(inner - side * scale) <= 0.5 or inner == 1)
        assert 0 <= (limit - inner - before) - before <= 1
    corners = letterbox_affine(original, size) @ [[0, original[1]], [0, original[0]], [1, 1]]
    assert corners.T.ravel() == pytest.approx([x0, y0, x1, y1], abs=1e-9)


@pytest.mark.parametrize('original', [(30, 44), (427, 640), (640, 427), (61, 97), (3, 5), (1, 1), (1, 5000), (5000, 1)])
@pytest.mark.parametrize('size', [(1024, 1024), (40, 72)])
def test_a_longest_side_fills_whole_pixels_from_the_top_left(original, size):
    height, width = longest_side_size(original, size)
    scale = min(size[0] / original[0], size[1] / original[1])
    assert height == size[0] or width == size[1]
    for inner, side, limit in ((height, original[0], size[0]), (width, original[1], size[1])):
        assert isinstance(inner, int) and 1 <= inner <= limit and (abs(inner - side * scale) <= 0.5 or inner == 1)
    corners = longest_side_affine(original, size) @ [[0, original[1]], [0, original[0]], [1, 1]]
    assert corners.T.ravel() == pytest.approx([0, 0, width, height], abs=1e-9)


@pytest.mark.parametrize('name, step', [('cris', 'CRISWarp'), ('shared_ris', 'Resize'), ('mmris', 'Letterbox'),
                                        ('evf_sam', 'ResizeLongestSide'), ('evf_sam2', 'LongestSideThenStretch'),
                                        ('evf_sam2_multitask', 'PillowResize'), ('lavt', 'PillowResize')])
class TestOneKeyOfAConfig:
    """``model.protocol`` alone changes all pipelines, however the config is taken."""

    def test_on_the_command_line(self, name, step):
        config = read(f'model.protocol={name}')
        steps = geometry_steps(config)
        assert len(steps) == 3 and {(type_name(one), one['size']) for one in steps} == {(step, 128)}
        before = config.pretty_text
        resolve_pipelines(config)
        assert config.pretty_text == before

    def test_in_python(self, name, step):
        config = unresolved()
        config.model.protocol = name
        predictor = Predictor(config, device='cpu')
        assert {type_name(one) for one in geometry_steps(predictor.model.cfg)} == {step}
        predictor.set_image(np.full((20, 50, 3), 90, dtype=np.uint8))
        found = predictor.predict('the circle').probabilities
        assert found.shape == (1, 20, 50) and predictor.protocol.name == name

    def test_in_a_runner(self, name, step, refer_set, tmp_path):
        config = unresolved()
        config.merge_from_dict({'model.protocol': name, 'work_dir': str(tmp_path), 'default_scope': 'mmris'})
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            config[loader].update(num_workers=0)
            config[loader].dataset.update(data_root=str(refer_set), refs_file='refs(unc).p')
        runner = RUNNERS.build(config)
        loader = runner.build_dataloader(runner._val_dataloader)
        assert {type(one).__name__ for one in loader.dataset.pipeline.transforms} & set(AFFINES) == {step}
        samples = runner.model.val_step(next(iter(loader)))
        assert {sample.protocol for sample in samples} == {name}
        assert {'probabilities_input' in sample for sample in samples} == {find_protocol(name).at_input}
        if find_protocol(name).at_input:
            assert samples[0].probabilities_input.shape == (len(samples[0].text), *samples[0].img_shape)


def test_the_metric_asks_the_samples(refer_set):
    """Threshold, comparison and empty masks are those of the protocol that the model has predicted by."""
    config = unresolved()
    config.model.protocol = 'shared_ris'
    resolve_pipelines(config)
    model = MODELS.build(config.model).eval()
    with torch.no_grad():
        samples = model.test_step(batch_of(config.val_dataloader, refer_set, 'refs(unc).p'))
    assert set(samples[0].probabilities.unique().tolist()) <= {0.0, 1.0}
    protocol = ReferringIoUMetric().protocol_of(samples[0].to_dict())
    assert protocol is PROTOCOLS['shared_ris']
    with pytest.raises(ValueError, match='Protocol shared_ris applies its threshold of 0.35 before it resizes masks, '
                       'so a threshold of 0.5 .of a metric in the config, a hook, or --threshold. would have no'):
        ReferringIoUMetric(threshold=0.5).process({}, [samples[0].to_dict()])
    assert ReferringIoUMetric(threshold=0.5).protocol_of({}).threshold == 0.5


def test_a_way_back_alone(refer_set):
    """``model.resampling`` changes the way back and nothing else."""
    config = tiny_config()
    predicted = {}
    for resampling in RESAMPLINGS:
        torch.manual_seed(0)
        model = MODELS.build(dict(config.model, resampling=resampling)).eval()
        with torch.no_grad():
            samples = model.test_step(batch_of(config.val_dataloader, refer_set, 'refs(unc).p'))
        predicted[resampling] = samples[0].probabilities
        assert samples[0].protocol == 'mmris'
    assert not torch.allclose(predicted['bilinear'], predicted['cris'], atol=1e-4)
    assert set(predicted['shared_ris'].unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize('wrong, message', [
    (dict(protocol='vlt'),
     "protocol must be one of mmris, cris, lavt, shared_ris, evf_sam, evf_sam2, evf_sam2_multitask, rela, "
     "rela_no_pixel, rela_50_pixels, rela_50_pixels_cleared, gsva, ref_zom, lisa, mmdet, phrasecut, but got 'vlt'"),
    (dict(resampling='cubic'),
     "resampling must be one of bilinear, cris, shared_ris, evf_sam, evf_sam2, but got 'cubic'"),
])
def test_names_that_are_none(wrong, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(tiny_config().model, **wrong))
    if 'protocol' in wrong:
        with pytest.raises(ValueError, match=message):
            read('model.protocol=vlt')


def test_thresholds_that_are_none():
    with pytest.raises(ValueError, match=r'threshold is a probability in \[0, 1\), but got 35'):
        find_protocol('cris').with_threshold(35)
    assert find_protocol('cris').with_threshold(None) is PROTOCOLS['cris']
    assert isinstance(find_protocol('cris').with_threshold(0.5), Protocol)


def test_a_threshold_of_the_config_is_the_predictors():
    config = tiny_config()
    config.test_evaluator = [dict(type='ReferringIoUMetric', threshold=0.6)]
    assert Predictor(config, device='cpu').protocol.threshold == 0.6
    config.test_evaluator = [dict(type='ReferringIoUMetric')]
    predictor = Predictor(config, device='cpu')
    assert predictor.protocol.threshold == 0.35 and isinstance(predictor.model, ReferringSegmentor)


@pytest.mark.parametrize('protocol, resampling, refused', [
    ('mmris', 'shared_ris', True),
    ('shared_ris', 'bilinear', False),
])
def test_the_metric_knows_the_way_back(protocol, resampling, refused, refer_set):
    """Of a way back that has applied a threshold, a metric with another one would score what it does not say."""
    config = unresolved()
    config.model.update(protocol=protocol, resampling=resampling)
    resolve_pipelines(config)
    model = MODELS.build(config.model).eval()
    with torch.no_grad():
        samples = model.test_step(batch_of(config.val_dataloader, refer_set, 'refs(unc).p'))
    metric = ReferringIoUMetric(threshold=0.6)
    if refused:
        with pytest.raises(ValueError, match='so a threshold of 0.6'):
            metric.process({}, [sample.to_dict() for sample in samples])
    else:
        metric.process({}, [sample.to_dict() for sample in samples])


@pytest.mark.parametrize('change', [
    {'val_evaluator.threshold': 0.5},
    {'test_evaluator': [dict(type='ReferringIoUMetric'), dict(type='ReferringIoUMetric', threshold=0.5)]},
    {'custom_hooks': [dict(type='PredictionSheetHook', threshold=0.5)]},
])
def test_thresholds_are_checked_before_a_training(change, tmp_path):
    config = unresolved()
    config.merge_from_dict({'model.protocol': 'shared_ris', 'work_dir': str(tmp_path / 'work'), **change})
    with pytest.raises(ValueError, match='Protocol shared_ris applies its threshold of 0.35'):
        RUNNERS.build(config)
    assert not (tmp_path / 'work').exists()


def test_another_threshold_than_a_papers_is_said(caplog):
    """Once."""
    metric = ReferringIoUMetric(threshold=0.5)
    logger = MMLogger.get_instance('protocols')
    logger.addHandler(caplog.handler)
    for _ in range(2):
        assert metric.protocol_of(dict(protocol='cris')).threshold == 0.5
    said = [record.getMessage() for record in caplog.records]
    assert said == ['Masks are scored at the threshold 0.5 of ReferringIoUMetric, not at that of protocol cris, 0.35.']


def test_the_predictor_decides_as_the_first_metric():
    config = tiny_config()
    config.test_evaluator = [dict(type='mmris.ReferringIoUMetric', prefix='a'),
                             dict(type='ReferringIoUMetric', threshold=0.5, prefix='b')]
    assert Predictor(config, device='cpu').protocol.threshold == 0.35
    config.test_evaluator = (dict(type='IoUMetric', threshold=12), dict(type='ReferringIoUMetric', threshold=0.5))
    assert Predictor(config, device='cpu').protocol.threshold == 0.5
