"""The segmentor: one path for training, evaluation and interactive use."""

import json

import pytest
import torch
from mmengine.dataset import pseudo_collate

from mmris.evaluation import ReferringIoUMetric
from mmris.registry import DATASETS, MODELS
from mmris.structures import ReferringDataSample
from tests.conftest import tiny_config, write_set
from tests.models.test_distillation import make_inputs


def samples_with_masks(inputs) -> list:
    samples = []
    for image in range(len(inputs.images.pixels)):
        count = int((inputs.expressions.image_index == image).sum())
        sample = ReferringDataSample()
        sample.gt_input = (torch.rand(count, 64, 64) < 0.3).float()
        samples.append(sample)
    return samples


def total_loss(model, inputs) -> torch.Tensor:
    """What is optimised."""
    return model.parse_losses(model.loss(inputs, samples_with_masks(inputs)))[0]


class TestLoss:

    def test_what_is_logged_is_what_is_optimised(self, tiny_model):
        torch.manual_seed(0)
        inputs = make_inputs()
        losses = tiny_model.loss(inputs, samples_with_masks(inputs))
        summands = {'loss_bce', 'loss_alignment', 'loss_lmvsd', 'loss_vmlsd'}
        measured = {'target_share_lmvsd', 'chance_lmvsd'}
        assert set(losses) == summands | measured
        total, logged = tiny_model.parse_losses(losses)
        assert total.item() == pytest.approx(sum(losses[name].item() for name in summands))
        assert logged['loss'].item() == pytest.approx(total.item())
        for name in measured:
            assert logged[name].item() == losses[name].item() and not losses[name].requires_grad

    @pytest.mark.parametrize('name', ['vit-tiny_shaperef.py', 'ablations/shaperef_baseline.py'])
    def test_every_parameter_gets_a_gradient(self, name):
        torch.manual_seed(0)
        model = MODELS.build(tiny_config(f'cm_masksd/{name}').model)
        inputs = make_inputs()
        total_loss(model, inputs).backward()
        without = [name for name, parameter in model.named_parameters()
                   if parameter.grad is None or not parameter.grad.isfinite().all()]
        zero = [name for name, parameter in model.named_parameters() if parameter.grad.abs().sum() == 0]
        assert not without and not zero

    def test_mixed_precision(self, tiny_model):
        inputs = make_inputs()
        with torch.autocast('cpu', dtype=torch.bfloat16):
            losses = tiny_model.loss(inputs, samples_with_masks(inputs))
        tiny_model.parse_losses(losses)[0].backward()
        assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())
        assert all(parameter.grad.isfinite().all() for parameter in tiny_model.parameters())

    def test_two_branches_weigh_as_the_config_says(self, tiny_model):
        tiny_model.eval()
        inputs = make_inputs()
        main = tiny_model.main_pass(inputs)
        for name, weight in (('lmvsd', 0.75), ('vmlsd', 0.1)):
            branch = tiny_model.distillation[name]
            branch.mask_ratio = 0.0
            probability = main.logits.sigmoid()
            entropy = -(probability * probability.log() + (1 - probability) * (1 - probability).log()).mean()
            loss = branch(main, tiny_model.encoder, tiny_model.stages).loss
            assert loss.item() == pytest.approx(weight * entropy.item(), rel=1e-3)


class TestGroupedIsSingle:
    """All expressions of several images at once, against each alone."""

    @pytest.fixture
    def evaluated(self, tmp_path, tiny_model):
        """By grouping: probabilities by sentence, and the metric's row of each sentence."""
        folder = write_set(tmp_path / 'set', sentences=2)
        tiny_model.eval()
        probabilities, rows = {}, {}
        for group_by, batch_size in (('image', 2), ('expression', 1)):
            config = tiny_config().test_dataloader.dataset
            config.update(data_root=str(folder), group_by=group_by)
            dataset = DATASETS.build(config)
            metric = ReferringIoUMetric(dump_file=str(tmp_path / f'{group_by}.jsonl'))
            found = probabilities[group_by] = {}
            for start in range(0, len(dataset), batch_size):
                packed = [dataset[index] for index in range(start, min(start + batch_size, len(dataset)))]
                with torch.no_grad():
                    samples = tiny_model.test_step(pseudo_collate(packed))
                metric.process({}, [sample.to_dict() for sample in samples])
                for sample in samples:
                    found.update(zip(sample.sent_ids, sample.probabilities))
            metric.evaluate(len(dataset))
            lines = (tmp_path / f'{group_by}.jsonl').read_text().splitlines()
            rows[group_by] = {row['sent_id']: row for row in map(json.loads, lines)}
        return probabilities, rows

    def test_probabilities(self, evaluated):
        grouped, single = evaluated[0]['image'], evaluated[0]['expression']
        assert len(grouped) == 30 and grouped.keys() == single.keys()
        assert all((grouped[one] - single[one]).abs().max() < 1e-5 for one in grouped)

    def test_counts_but_for_pixels_close_to_the_threshold(self, evaluated):
        probabilities, rows = evaluated
        for sent_id, grouped in rows['image'].items():
            single = rows['expression'][sent_id]
            close = int(((probabilities['image'][sent_id] - 0.35).abs() < 1e-5).sum())
            assert abs(grouped['intersection'] - single['intersection']) <= close
            assert abs(grouped['union'] - single['union']) <= close
            assert grouped['union'] > 0

    def test_chunks(self, tiny_model):
        tiny_model.eval()
        inputs = make_inputs(images=3, expressions=5)
        with torch.no_grad():
            whole = tiny_model.encode_decode(inputs)
            tiny_model.max_expressions = 4
            assert torch.allclose(tiny_model.encode_decode(inputs), whole, atol=1e-5)


def test_without_distillation_predictions_are_the_same(tiny_model, tmp_path):
    """After training steps, weights of the whole model give the baseline's config the same predictions."""
    from mmris.checkpoints import load_model_weights
    optimizer = torch.optim.SGD(tiny_model.parameters(), lr=0.01)
    inputs = make_inputs()
    for _ in range(2):
        optimizer.zero_grad()
        total_loss(tiny_model, inputs).backward()
        optimizer.step()
    path = tmp_path / 'checkpoint.pth'
    torch.save(dict(state_dict=tiny_model.state_dict()), path)
    baseline = MODELS.build(tiny_config('cm_masksd/ablations/shaperef_baseline.py').model)
    load_model_weights(baseline, path)
    with torch.no_grad():
        assert torch.equal(baseline.eval().encode_decode(inputs), tiny_model.eval().encode_decode(inputs))


def test_images_of_several_sizes_are_an_error(tiny_model):
    with pytest.raises(ValueError, match=r'Images of one batch must have one size, but got \[\(8, 8\), \(8, 16\)\]'):
        tiny_model.data_preprocessor.batch_images([torch.zeros(3, 8, 8), torch.zeros(3, 8, 16)], [])


@pytest.mark.parametrize('name, value, message', [
    ('max_expressions', 0, 'max_expressions must be at least 1, but got 0'),
    ('target_resize', 'cubic', "target_resize must be 'nearest' or 'area', but got 'cubic'"),
])
def test_values_that_are_none(name, value, message):
    config = tiny_config().model
    config[name] = value
    with pytest.raises(ValueError, match=message):
        MODELS.build(config)


def test_names_with_none_are_left_out():
    config = tiny_config('mail/tiny_shaperef.py').model
    config.losses.bce = config.auxiliary_losses.selection = None
    config.losses.dice = dict(type='DiceLoss')
    model = MODELS.build(config)
    assert list(model.losses) == ['dice'] and not model.auxiliary_losses


@pytest.mark.parametrize('group', ['auxiliary_losses', 'distillation'])
def test_two_losses_of_one_name(group):
    """One would be optimised in the other's place."""
    config = tiny_config().model
    config[group] = dict(bce=config.distillation.lmvsd if group == 'distillation' else dict(type='DiceLoss'))
    with pytest.raises(ValueError, match=f"losses and {group} both have an entry 'bce', so both would be loss_bce"):
        MODELS.build(config)


def test_one_frozen_part():
    config = tiny_config().model
    config.frozen = 'encoder'
    model = MODELS.build(config)
    assert model.frozen == ('encoder', ) and not any(one.requires_grad for one in model.encoder.parameters())
