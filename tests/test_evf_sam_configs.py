"""EVF-SAM's configs: published sizes and settings, CM-MaskSD's branches by config alone, the tools."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import LinearLR

from mmris.apis import Predictor
from mmris.apis.attention import AttentionPredictor, _resample
from mmris.datasets.pipelines import resolve_pipelines
from mmris.protocols import find_protocol
from mmris.registry import MODELS, RUNNERS
from mmris.utils.complexity import count_complexity
from mmris.utils.pretrained import forget_pretrained
from tests.conftest import ROOT, tiny_config
from tests.test_configs import batch_of, shrink

TINY = 'evf_sam/tiny_shaperef.py'
BASE = ROOT / 'configs/_base_'


def base_model(name: str) -> Config:
    return Config.fromfile(BASE / f'models/{name}.py').model


# Parameters in millions, and multiply-adds of an image in billions.
VIT_H, VIT_L, VIT_B = (637.03, 2980.5), (308.28, 1492.8), (89.67, 486.0)
# Hiera-L, its pyramid, and what narrows two of its maps, which the published code keeps in the mask decoder.
HIERA_L = (212.15 + 0.55 + 0.02, 906.1 + 5.3)


@pytest.mark.parametrize('name, total, tower, joint, projector, head, prompted', [
    ('evf_sam_vit-h_beit3-l', 1315.11, VIT_H, 672.70, 1.31, 4.06, 63.5),
    ('evf_sam_vit-h_beit3-b', 862.87, VIT_H, 220.99, 0.79, 4.06, 18.1),
    ('evf_sam_vit-l_beit3-l', 986.36, VIT_L, 672.70, 1.31, 4.06, 63.5),
    ('evf_sam_vit-b_beit3-b', 315.51, VIT_B, 220.99, 0.79, 4.06, 18.1),
    # Of 898.44M 7.5M are the memory of videos, which takes no part.
    ('evf_sam2_hiera-l_beit3-l', 898.44 - 7.5, HIERA_L, 672.70, 1.31, 4.22 - 0.02, 63.5),
    ('evf_sam2_hiera-l_beit3-l_multitask', 898.44 - 7.5, HIERA_L, 672.70, 1.31, 4.22 - 0.02, 63.5),
])
def test_published_sizes(name, total, tower, joint, projector, head, prompted):
    """Parameters in millions and multiply-adds in billions, of parts and of the whole."""
    config = base_model(name)
    forget_pretrained(config)
    with torch.device('meta'):
        model = MODELS.build(config)
    # torchscale's mask token and the prompt encoder's other weights are not ours: 5,964 numbers at most.
    parts = {part: sum(value.numel() for value in model.get_submodule(part).parameters()) / 1e6
             for part in ('encoder.segmenter', 'encoder.joint', 'neck', 'head')}
    assert parts == pytest.approx(
        {'encoder.segmenter': tower[0], 'encoder.joint': joint, 'neck': projector, 'head': head}, abs=0.01)
    assert sum(parts.values()) == pytest.approx(total, abs=0.02)
    costs = count_complexity(model, shape=(1024, 1024), tokens=6, views=dict(joint=(224, 224)))
    # BEiT-3's patches are embedded with the image, all else of it is done for a sentence.
    embedding = 3 * 16**2 * 14**2 * config.neck.in_channels / 1e9
    assert costs['encoder']['image']['flops'] / 1e9 == pytest.approx(tower[1] + embedding, abs=0.06)
    assert costs['encoder']['join']['flops'] / 1e9 == pytest.approx(prompted - embedding, abs=0.06)
    assert costs['head']['flops'] / 1e9 == pytest.approx(1.8, abs=0.06)
    # Of the mask decoder three maps of the 4096 cells, from 256 to 128, are done before the prompt is seen.
    shared = 3 * 4096 * 256 * 128 / 1e9
    assert costs['total']['image']['flops'] / 1e9 == pytest.approx(tower[1] + embedding + shared, abs=0.06)
    assert costs['total']['sentence']['flops'] / 1e9 == pytest.approx(prompted - embedding + 1.8 - shared, abs=0.06)
    assert costs['encoder']['trained'] == sum(value.numel() for value in model.encoder.joint.parameters())


def test_the_published_settings():
    config = base_model('evf_sam_vit-h_beit3-l')
    preprocessor = config.data_preprocessor
    assert (preprocessor.mean, preprocessor.std) == ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
    assert preprocessor.zero_border and preprocessor.views.joint == dict(mean=[127.5] * 3, std=[127.5] * 3)
    assert config.frozen == ['encoder.segmenter'] and config.protocol == 'evf_sam'
    assert {name: loss.loss_weight for name, loss in config.losses.items()} == dict(bce=1.0, dice=1.0)
    inputs = Config.fromfile(BASE / 'inputs/evf_sam.py').inputs
    assert inputs.tokenizer == dict(
        type='BEiT3Tokenizer',
        context_length=1022,
        pad_to_longest=True,
        lower_case=True,
        vocabulary='data/beit3.spm')
    assert inputs.views == dict(
        main=dict(type='ResizeLongestSide', size=1024), joint=dict(type='Resize', size=224, keep_overshoot=True))


@pytest.mark.parametrize('name, step, mask', [
    ('evf_sam2', 'LongestSideThenStretch', 'stable'),
    ('evf_sam2_multitask', 'PillowResize', 'best'),
])
def test_the_published_settings_with_sam2(name, step, mask):
    config = base_model(name.replace('evf_sam2', 'evf_sam2_hiera-l_beit3-l'))
    assert not config.data_preprocessor.zero_border and config.data_preprocessor.mean == [123.675, 116.28, 103.53]
    assert config.frozen == ['encoder.segmenter', 'head', 'neck.no_mask']
    assert config.protocol == name and config.head.mask == mask
    views = Config.fromfile(BASE / f'inputs/{name}.py').inputs.views
    assert views == dict(main=dict(type=step, size=1024), joint=dict(type='Resize', size=224, keep_overshoot=True))
    assert step == find_protocol(name).geometry.step


def with_sam2(folder, model: str, inputs: str) -> Config:
    """A config on RefCOCO, made of bases alone."""
    bases = ['default_runtime', 'datasets/refcoco', f'inputs/{inputs}', f'models/{model}']
    path = folder / 'evf_sam2.py'
    path.write_text(f'_base_ = {[f"{BASE}/{base}.py" for base in bases]}\n')
    return Config.fromfile(path)


@pytest.mark.parametrize('inputs', ['evf_sam2', 'evf_sam2_multitask', 'evf_sam'])
def test_pipelines_with_sam2(inputs, tmp_path):
    """The protocol's view is that of its inputs, and takes the place of that of others."""
    config = with_sam2(tmp_path, 'evf_sam2_hiera-l_beit3-l', inputs)
    resolve_pipelines(config)
    for loader in (config.train_dataloader, config.val_dataloader):
        steps = [step for step in loader.dataset.pipeline if 'size' in step]
        assert steps == [dict(type='Resize', size=224, view='joint', keep_overshoot=True),
                         dict(type='LongestSideThenStretch', size=1024)]


@pytest.mark.parametrize('name', ['evf_sam2_hiera-l_beit3-l', 'evf_sam2_hiera-l_beit3-l_multitask'])
def test_a_step_and_a_prediction_with_sam2(name, refer_set, tmp_path):
    """At toy size. Nothing of SAM 2 changes."""
    torch.manual_seed(0)
    config = shrink(with_sam2(tmp_path, name, 'evf_sam2'))
    model = MODELS.build(config.model).train()
    inputs = model.data_preprocessor(batch_of(config.train_dataloader, refer_set, 'refs(unc).p'), True)
    model.parse_losses(model(**inputs, mode='loss'))[0].backward()
    trained = {key.split('.')[0] for key, value in model.named_parameters() if value.grad is not None}
    assert trained == {'encoder', 'neck'} and not model.head.training
    frozen = [*model.encoder.segmenter.parameters(), *model.head.parameters(), model.neck.no_mask]
    assert all(value.grad is None for value in frozen)
    assert all(value.grad.any() for value in model.neck.projection.parameters())
    with torch.no_grad():
        samples = model.eval().test_step(batch_of(config.val_dataloader, refer_set, 'refs(unc).p'))
    assert {sample.protocol for sample in samples} == {config.model.protocol}
    assert all(sample.probabilities.shape == sample.gt_original.shape for sample in samples)
@pytest.mark.parametrize('name', ['refcoco', 'mixed'])
def test_the_published_recipe(name):
    """Batches, loss and data of the paper and its code; what both leave open is LISA's."""
    config = Config.fromfile(ROOT / f'configs/evf_sam/vit-h_beit3-l_{name}.py')
    assert config.optim_wrapper == dict(
        type='OptimWrapper',
        optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
        clip_grad=dict(max_norm=1.0),
        accumulative_counts=2)
    loader = config.train_dataloader
    assert loader.batch_size * config.optim_wrapper.accumulative_counts * 4 == 128
    assert config.auto_scale_lr.base_batch_size == 128
    assert config.train_cfg.max_epochs * loader.sampler.draws == 15000 * 128
    assert (loader.dataset.group_by, loader.dataset.expressions_per_image) == ('image', 3)
    losses = {loss: settings.loss for loss, settings in config.model.auxiliary_losses.items()}
    assert config.model.losses is None and losses == dict(
        bce=dict(type='BinaryCrossEntropyLoss', loss_weight=1.0),
        dice=dict(type='DiceLoss', loss_weight=1.0, squared=False, smooth=1e-3))
    assert config.model.frozen == ['encoder.segmenter'] and config.find_unused_parameters
    assert config.model.encoder.joint.pretrained == 'data/beit3_large_patch16_224.pth'
    resolve_pipelines(config)
    steps = [step.type for step in loader.dataset.pipeline]
    assert steps == ['LoadImage', 'LoadMasks', 'Resize', 'ResizeLongestSide', 'Tokenize', 'PackReferringInputs']
    assert loader.dataset.pipeline[-1].masks == config.val_dataloader.dataset.pipeline[-1].masks == ['gt_original']
    if name == 'mixed':
        assert loader.dataset.type == 'MixedDataset' and len(loader.dataset.datasets) == 3
        shared = Config.fromfile(BASE / 'datasets/refcoco_mixed.py').train_dataloader.dataset
        assert loader.dataset.exclude == shared.exclude


def test_the_published_rates():
    """Of each of the 15,000 steps of 128 images: up over 100, and down to 0 in a line."""
    config = Config.fromfile(ROOT / 'configs/evf_sam/vit-h_beit3-l_refcoco.py')
    batches = config.train_dataloader.sampler.draws // (4 * config.train_dataloader.batch_size)
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=config.optim_wrapper.optimizer.lr)
    schedulers = []
    for settings in config.param_scheduler:
        assert settings.type == 'LinearLR' and settings.convert_to_iter_based
        given = {key: value for key, value in settings.items() if key not in ('type', 'convert_to_iter_based')}
        schedulers.append(LinearLR.build_iter_from_epoch(optimizer, epoch_length=batches, **given))
    rates = []
    for _ in range(config.train_cfg.max_epochs * batches):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    # Two batches a step.
    assert len(rates) == 30000 and max(rates) == pytest.approx(1e-4)
    steps = [0, 50, 100, 7550, 11275, 14999]
    assert [1e4 * rates[2 * step] for step in steps] == pytest.approx([0.01, 0.5, 1, 0.5, 0.25, 0], abs=0.01)


def with_branches(folder) -> Config:
    """A config of two lines on top of EVF-SAM's, as its README shows."""
    path = folder / 'evf_sam_masksd.py'
    path.write_text(f"_base_ = ['{ROOT}/configs/{TINY}', '{BASE}/models/masked_distillation.py']\n"
                    'model = dict(distillation=_base_.distillation)\n')
    return Config.fromfile(path)


def test_it_trains_with_both_branches_by_config_alone(refer_set, tmp_path):
    """SAM's tower runs once a step for the main branch and both replays, and once an evaluation."""
    config = with_branches(tmp_path)
    assert list(config.model.distillation) == ['lmvsd', 'vmlsd'] and config.find_unused_parameters
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.update(batch_size=5, num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=str(refer_set), split='val')
    config.train_cfg.max_epochs = 1
    config.update(work_dir=str(tmp_path / 'work'), experiment_name=tmp_path.name, log_level='ERROR', custom_hooks=[])
    runner = RUNNERS.build(config)
    rows, joined = [], []
    encoder = runner.model.encoder
    encoder.segmenter.register_forward_hook(lambda _, given, __: rows.append(tuple(given[0].shape)))
    encoder.joint.layers[0].register_forward_hook(lambda _, given, __: joined.append(len(given[0])))
    runner.train()
    # One step of five images with several sentences each, then the validation of the same five.
    assert rows == [(5, 3, 64, 64)] * 2
    sentences = joined[0]
    assert sentences > 5 and joined == [sentences] * 3 + [15]
    assert runner.val()['expressions'] == 15


def test_a_predictor():
    torch.manual_seed(0)
    predictor = Predictor(tiny_config(TINY), device='cpu')
    pixels = np.random.default_rng(0).integers(0, 256, (40, 70, 3), dtype=np.uint8)
    state = predictor.set_image(pixels).state
    assert len(state.maps.values[-1]) == 1 and predictor.protocol.threshold == 0.5
    # The longest side fills the input, and the patches of the stretched view cover the image alone.
    assert state.region.tolist() == [[0, 0, 64, 37]]
    several = predictor.predict(['the circle', 'the square']).probabilities
    assert several.shape == (2, 40, 70)
    assert np.allclose(predictor.predict('the square').probabilities[0], several[1], atol=1e-5)
    half = predictor.model.bfloat16()
    assert half.head.positions.directions.dtype == torch.float32
    predictor.set_image(pixels)
    assert np.isfinite(predictor.predict('the square').probabilities).all()


def test_attention_lies_where_the_patches_are():
    """Maps of the stretched view, brought to the original pixels, are those of its grid stretched back."""
    torch.manual_seed(0)
    predictor = AttentionPredictor(tiny_config(TINY), device='cpu')
    predictor.set_image(np.random.default_rng(0).integers(0, 256, (32, 64, 3), dtype=np.uint8))
    encoded = []
    predictor.model.neck.register_forward_pre_hook(lambda _, given: encoded.append(given[0]))
    maps = predictor.look('the circle').maps
    assert [one.name for one in maps] == [f'layer {number}' for number in range(1, 5)]
    cells = torch.rand(8, 8)
    found = _resample(cells.flatten(), (8, 8), predictor._choose_image(None), encoded[0].region)
    expected = torch.nn.functional.interpolate(cells[None, None], size=(32, 64), mode='bilinear', align_corners=False)
    assert np.allclose(found, expected[0, 0].numpy(), atol=1e-5)


def test_another_protocol():
    """One key of the config, which also changes the main view; the other view stays."""
    config = Config.fromfile(ROOT / 'configs' / TINY)
    config.model.protocol = 'shared_ris'
    resolve_pipelines(config)
    steps = {step.get('view', 'main'): step for step in config.val_dataloader.dataset.pipeline if 'size' in step}
    assert steps['main'].type == 'Resize' and steps['joint'].keep_overshoot
