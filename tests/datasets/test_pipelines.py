"""One block of a config says what its models look at, wherever that is read."""

import argparse
import copy
import inspect
import runpy
import sys
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmris.apis import Predictor, init_model
from mmris.command_line.arguments import add_config_arguments
from mmris.datasets.pipeline_steps import build_pipeline
from mmris.datasets.pipelines import resolve_pipelines, unresolve_pipelines
from mmris.datasets.transforms import Letterbox, LoadImage
from mmris.registry import DATASETS, RUNNERS
from mmris.utils.configs import read_config
from tests.conftest import ROOT, tiny_config

CONFIG = 'configs/mail/tiny_shaperef.py'
INPUTS = dict(
    tokenizer=dict(type='CLIPTokenizer', context_length=8),
    views=dict(main=dict(type='Letterbox', size=64)),
)
TRAIN = ['LoadImage', 'LoadMasks', 'Letterbox', 'Tokenize', 'PackReferringInputs']
TEST = ['LoadImage', 'Letterbox', 'LoadMasks', 'Tokenize', 'PackReferringInputs']


def read(*options: str, config: str = CONFIG) -> Config:
    parser = argparse.ArgumentParser()
    add_config_arguments(parser)
    return read_config(parser.parse_args([str(ROOT / config), *(['--cfg-options', *options] if options else [])]))


def with_parts() -> Config:
    """A config that takes instance masks in, with two sets to train on and two splits to evaluate on."""
    config = Config.fromfile(ROOT / CONFIG)
    config.train_dataloader.dataset = dict(type='MixedDataset', datasets=dict(
        a=dict(split='val'), b=dict(split='val'), taken_back=None))
    config.test_cfg = dict(type='SplitTestLoop', splits=dict(val=dict(split='val'), testA=dict(split='testA')))
    return config


def build(phase: str = 'train', **changes) -> list:
    return build_pipeline({**INPUTS, **changes}, phase)


def types(steps: list) -> list:
    return [step['type'] for step in steps]


def sizes(config: Config) -> dict:
    """The size that each loader's pipeline makes."""
    return {
        loader: [step.size for step in config[loader].dataset.pipeline if 'size' in step]
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader')
    }


class TestOneNumber:
    """Changed in a child config or on the command line, it is the same everywhere."""

    EVERYWHERE = dict(train_dataloader=[96], val_dataloader=[96], test_dataloader=[96])

    @pytest.fixture(params=['child', 'command line', 'python'])
    def config(self, request, tmp_path) -> Config:
        if request.param == 'child':
            child = tmp_path / 'child.py'
            child.write_text(f"_base_ = '{ROOT / CONFIG}'\ninputs = dict(views=dict(main=dict(size=96)))\n")
            return read(config=str(child))
        if request.param == 'command line':
            return read('inputs.views.main.size=96')
        config = Config.fromfile(ROOT / CONFIG)
        config.inputs.views.main.size = 96
        return config

    def test_in_loaders_runner_and_predictor(self, config, refer_set, tmp_path):
        model = init_model(copy.deepcopy(config), device='cpu')
        assert sizes(model.cfg) == self.EVERYWHERE
        # What a GPU would be given, of a prediction, a training and an evaluation.
        assert Predictor(copy.deepcopy(config), device='cpu').set_image(
            refer_set / 'images' / 'COCO_train2014_000000000001.jpg').input_size == (96, 96)
        for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
            loader.update(num_workers=0, batch_size=2)
            loader.dataset.update(data_root=str(refer_set), split='val', data_prefix=dict(img_path='images'))
        config.update(work_dir=str(tmp_path / 'work'), experiment_name=tmp_path.name, log_level='ERROR')
        runner = RUNNERS.build(config)
        assert sizes(runner.cfg) == self.EVERYWHERE
        for loader in (runner._train_dataloader, runner._val_dataloader, runner._test_dataloader):
            batch = next(iter(runner.build_dataloader(loader)))
            assert {tuple(image.shape) for image in batch['inputs']} == {(3, 96, 96)}
            assert {sample.instance_masks.shape[1:] for sample in batch['data_samples']} == {(96, 96)}

    @pytest.mark.parametrize('tool, arguments', [
        ('get_flops.py', []),
        ('browse_dataset.py', ['--loader', 'val', '--number', '1']),
        ('benchmark_samples.py', ['--samples', '1', '--repetitions', '1']),
    ])
    def test_in_tools(self, tool, arguments, refer_set, tmp_path, monkeypatch, capsys):
        seen, build = [], DATASETS.build
        monkeypatch.setattr(type(DATASETS), 'build', lambda self, cfg, *rest, **more: seen.append(cfg) or (
            build.__func__(self, cfg, *rest, **more)))
        arguments = [ROOT / 'configs/cm_masksd/vit-tiny_shaperef.py', *arguments, '--cfg-options',
                     'inputs.views.main.size=96']
        if tool == 'browse_dataset.py':
            arguments[1:1] = ['--data-root', refer_set, '--out', tmp_path / 'a.png']
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
        runpy.run_path(str(ROOT / 'tools/analysis_tools' / tool), run_name='__main__')
        if tool == 'get_flops.py':
            assert '96 x 96 pixels' in capsys.readouterr().out
            return
        [found] = {step['size'] for config in seen if isinstance(config, dict) and 'pipeline' in config
                   for step in config['pipeline'] if 'size' in step}
        assert found == 96

    def test_a_run_leaves_a_config_that_can_be_changed_again(self, refer_set, tmp_path):
        config = tiny_config()
        config.update(work_dir=str(tmp_path), experiment_name=tmp_path.name, log_level='ERROR')
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            config[loader].num_workers = 0
            config[loader].dataset.update(data_root=str(refer_set), split='val')
        runner = RUNNERS.build(config)
        [written] = Path(runner.log_dir).glob('*.py')
        assert sizes(read('inputs.views.main.size=96', config=str(written))) == self.EVERYWHERE
        assert runner.cfg.test_dataloader.dataset.pipeline


class TestSteps:

    def test_usual_ones(self):
        assert types(build('train')) == TRAIN and types(build('test')) == TEST
        assert build('train')[-1]['masks'] == ['gt_input'] and build('test')[-1]['masks'] == ['gt_original']
        masked = dict(instance_masks=dict(file='a'))
        assert types(build('train', **masked))[2:4] == ['LoadInstanceMasks', 'MatchInstances']
        assert types(build('test', **masked))[1] == 'LoadInstanceMasks'

    def test_an_argument_of_one(self):
        steps = dict(load_image=dict(upright=True))
        for phase in ('train', 'test'):
            assert build(phase, steps=steps)[0] == dict(type='LoadImage', upright=True)

    def test_a_new_one_follows_the_one_that_it_names(self):
        flip = dict(type='RandomFlip', prob=0.5, after='load_masks', phase='train')
        noise = dict(type='PhotoMetricDistortion', after='load_masks')
        steps = dict(flip=flip, noise=noise, after_flip=dict(type='RandomRotate', prob=0.1, degree=5, after='flip',
                                                             phase='train'))
        assert types(build('train', steps=steps)) == [
            'LoadImage', 'LoadMasks', 'RandomFlip', 'RandomRotate', 'PhotoMetricDistortion', *TRAIN[2:]]
        assert types(build('test', steps=steps)) == [*TEST[:3], 'PhotoMetricDistortion', *TEST[3:]]
        assert build('train', steps=dict(flip=flip))[2] == dict(type='RandomFlip', prob=0.5)

    def test_none_leaves_one_out(self):
        assert types(build('test', steps=dict(load_masks=None, match_instances=None))) == [
            'LoadImage', 'Letterbox', 'Tokenize', 'PackReferringInputs']
        # What a child config takes back of its parent's.
        assert types(build('test', steps=dict(noise=None))) == TEST
        masked = dict(instance_masks=dict(file='a'))
        assert build('train', steps=dict(match_instances=None), **masked)[-1]['masks'] == ['gt_input']

    def test_the_order_of_new_ones(self):
        steps = dict(
            second=dict(type='RandomRotate', prob=0.1, degree=5, after='first'),
            first=dict(type='RandomFlip', after='load_masks'),
            third=dict(type='RandomCutOut', prob=0.1, n_holes=1, after='load_masks'))
        assert types(build('train', steps=steps))[1:5] == ['LoadMasks', 'RandomFlip', 'RandomRotate', 'RandomCutOut']

    def test_other_views_stand_before_the_main_one(self):
        views = dict(main=dict(type='Letterbox', size=64), near=dict(type='Resize', size=32), left=None)
        for phase in ('train', 'test'):
            steps = [step for step in build(phase, views=views) if 'size' in step]
            assert steps == [dict(type='Resize', size=32, view='near'), dict(type='Letterbox', size=64)]

    @pytest.mark.parametrize('changes, message', [
        (dict(size=64), 'inputs has tokenizer, views, instance_masks, steps, but got size'),
        (dict(views={}), 'inputs lacks views'),
        (dict(tokenizer=None), 'inputs lacks tokenizer'),
        (dict(views=dict(near=dict(type='Resize', size=32))), 'inputs.views has near, but needs main'),
        (dict(views=dict(main=dict(type='Resize', size=3), pack=dict(type='Resize', size=3))),
         'pack cannot be the name of a view'),
        (dict(steps=dict(load_imgae=dict(upright=True))),
         'inputs.steps.load_imgae has no type, and there is no step of that name to change or leave out, but load'),
        (dict(steps=dict(load_image=True)), 'inputs.steps.load_image must be a dict, or None to leave the step out'),
        (dict(views=dict(main=dict(type='Letterbox'))), 'inputs.views.main must be a dict with the type of a step'),
        (dict(views=3), 'inputs lacks views, a dict'),
        (dict(steps=dict(a=dict(type='RandomFlip', after='b'), b=dict(type='RandomFlip', after='a'))),
         'New steps of inputs.steps stand after one another in a circle: a, b.'),
        (dict(steps=dict(load_image=dict(uprigth=True))),
         'inputs.steps.load_image: LoadImage has no uprigth. Did you mean upright?'),
        (dict(steps=dict(crop=dict(type='RandomCrop', crop_size=(3, 3)))),
         'inputs.steps.crop: a new step, and no other, has a `type` and the name of the step that it stands `after`'),
        (dict(steps=dict(load_image=dict(after='pack'))), 'inputs.steps.load_image: a new step, and no other, has a'),
        (dict(steps=dict(crop=dict(type='RandomCrop', crop_size=(3, 3), after='cut'))),
         "inputs.steps.crop stands after 'cut', but must stand after one of load_image, load_masks, main, tokenize"),
        (dict(steps=dict(crop=dict(type='RandomFlip', after='main', phase='val'))),
         "inputs.steps.crop.phase must be train or test, but got 'val'"),
    ])
    def test_mistakes(self, changes, message):
        with pytest.raises(ValueError) as error:
            build('train', **changes)
        assert message in str(error.value)


class TestResolving:

    def test_a_pipeline_beside_inputs(self):
        """It would silently win over them, or they over it."""
        config = Config.fromfile(ROOT / CONFIG)
        config.val_dataloader.dataset.pipeline = [dict(type='LoadImage')]
        with pytest.raises(ValueError, match='val_dataloader.dataset.pipeline is not what inputs says, so that one of '
                           'the two would have no effect. Change inputs instead'):
            resolve_pipelines(config)

    def test_what_a_data_set_says_of_instance_masks(self):
        """A setting of its own goes before those of inputs, and None takes masks back."""
        config = Config.fromfile(ROOT / CONFIG)
        config.train_dataloader.dataset.instance_masks = dict(problems='skip')
        config.val_dataloader.dataset.instance_masks = None
        for file in ('instance_masks.json', 'other.json'):
            config.inputs.instance_masks.file = file
            resolve_pipelines(config)
            assert config.train_dataloader.dataset.instance_masks == dict(file=file, problems='skip')
            assert config.test_dataloader.dataset.instance_masks == dict(file=file)
            assert config.val_dataloader.dataset.instance_masks is None
            assert types(config.val_dataloader.dataset.pipeline) == TEST
            assert 'LoadInstanceMasks' in types(config.test_dataloader.dataset.pipeline)
        unresolve_pipelines(config)
        assert config.train_dataloader.dataset.instance_masks == dict(problems='skip')
        assert config.val_dataloader.dataset.instance_masks is None
        assert 'instance_masks' not in config.test_dataloader.dataset

    def test_inputs_that_change_after_it(self, tmp_path):
        """What was built from them is no pipeline of one's own, also in a file."""
        config = read()
        config.inputs.views.main.size = 96
        config.inputs.instance_masks.file = 'other.json'
        config.model.protocol = 'cris'
        config.dump(tmp_path / 'resolved.py')
        for changed in (config, Config.fromfile(tmp_path / 'resolved.py')):
            resolve_pipelines(changed)
            assert sizes(changed) == TestOneNumber.EVERYWHERE
            assert 'CRISWarp' in types(changed.train_dataloader.dataset.pipeline)
            assert changed.test_dataloader.dataset.instance_masks == dict(file='other.json')
            unresolve_pipelines(changed)
            assert not {'pipeline', 'instance_masks'} & set(changed.train_dataloader.dataset)

    def test_pipelines_without_inputs_stay(self):
        config = tiny_config()
        config.inputs, config.resolved_from = None, None
        config.test_dataloader.dataset.pipeline[1].size = 96
        before = config.pretty_text
        resolve_pipelines(config)
        assert config.pretty_text == before

    def test_a_feature_cache_gets_digests(self):
        """In all phases, only as long as the config has one, and also in pipelines written by hand."""
        config, plain = tiny_config(), tiny_config().to_dict()
        config.model.feature_cache = dict(folder='features')
        resolve_pipelines(config)
        loaders = (config.train_dataloader, config.val_dataloader, config.test_dataloader)
        assert all(loader.dataset.pipeline[-1]['digests'] is True for loader in loaders)
        written = Config(dict(model=config.model, default_scope='mmris', test_dataloader=dict(dataset=dict(
            pipeline=plain['test_dataloader']['dataset']['pipeline']))))
        resolve_pipelines(written)
        assert written.test_dataloader.dataset.pipeline == config.test_dataloader.dataset.pipeline
        del config.model['feature_cache']
        resolve_pipelines(config)
        assert config.to_dict() == plain

    def test_data_sets_inside_of_others(self):
        config = tiny_config()
        unresolve_pipelines(config)
        one = config.train_dataloader.dataset
        config.train_dataloader.dataset = dict(
            type='RepeatDataset', times=2, dataset=dict(type='ConcatDataset', datasets=[one, one]))
        resolve_pipelines(config)
        for inner in config.train_dataloader.dataset.dataset.datasets:
            assert types(inner.pipeline) == TRAIN
        assert 'pipeline' not in config.train_dataloader.dataset

    def test_in_another_scope(self):
        config = tiny_config()
        unresolve_pipelines(config)
        config.default_scope, config.model.protocol = 'mmdet', 'cris'
        resolve_pipelines(config)
        assert types(config.test_dataloader.dataset.pipeline) == [
            'mmris.LoadImage', 'mmris.CRISWarp', 'mmris.LoadMasks', 'mmris.Tokenize', 'mmris.PackReferringInputs']

    @pytest.mark.parametrize('scope', ['mmris', 'mmseg', None])
    def test_a_protocol_of_pipelines_written_by_hand(self, scope, refer_set, tmp_path):
        """Its step is found from the config's scope, as the steps around it are."""
        prefix = '' if scope == 'mmris' else 'mmris.'
        tokenizer = dict(type=f'{prefix}CLIPTokenizer', context_length=12)
        written = [
            dict(type=f'{prefix}LoadImage'), dict(type=f'{prefix}Letterbox', size=64), dict(type=f'{prefix}LoadMasks'),
            dict(type=f'{prefix}Tokenize', tokenizer=tokenizer),
            dict(type=f'{prefix}PackReferringInputs', masks=['gt_original'])]
        dataset = dict(type='mmris.RefCOCODataset', data_root=str(refer_set), refs_file='refs(unc).p', split='val')
        config = Config(dict(
            default_scope=scope, model=dict(protocol='cris'), test_dataloader=dict(dataset=dict(
                dataset, pipeline=written)), test_cfg=dict(splits=dict(val=dict(pipeline=written))),
            train_dataloader=dict(dataset=dict(type='mmris.MixedDataset', datasets=dict(a=dict(pipeline=written))))))
        resolve_pipelines(config)
        expected = [step['type'] for step in written]
        expected[1] = f'{prefix}CRISWarp'
        for one in (config.test_dataloader.dataset, config.test_cfg.splits.val,
                    config.train_dataloader.dataset.datasets.a):
            assert types(one.pipeline) == expected
        with DefaultScope.overwrite_default_scope(scope or 'mmengine'):
            made = DATASETS.build(config.test_dataloader.dataset)
            assert made[0]['inputs'].shape == (3, 64, 64)

    def test_a_step_named_by_its_class(self):
        steps = [dict(type=LoadImage), dict(type=Letterbox, size=64)]
        config = dict(default_scope='mmris', model=dict(protocol='cris'), val_dataloader=dict(
            dataset=dict(pipeline=steps)))
        for _ in range(2):
            resolve_pipelines(config)
            assert config['val_dataloader']['dataset']['pipeline'] == [steps[0], dict(type='CRISWarp', size=64)]

    @pytest.mark.parametrize('place', ['train_dataloader.dataset.datasets.a', 'test_cfg.splits.val'])
    def test_a_part_with_a_pipeline_of_its_own(self, place):
        config = with_parts()
        config.merge_from_dict({place: dict(pipeline=[dict(type='LoadImage')])})
        with pytest.raises(ValueError, match=f'^{place}.pipeline is not what inputs says, so that one of the two'):
            resolve_pipelines(config)

    @pytest.mark.parametrize('place', ['train_dataloader.dataset.datasets.a', 'test_cfg.splits.val'])
    def test_what_a_part_says_of_instance_masks(self, place):
        """As a data set of its own: settings go before those of inputs, None takes masks back, nothing is shared."""
        for said, expected in ((None, None), (dict(problems='skip'), dict(file='new.json', problems='skip'))):
            config = with_parts()
            config.merge_from_dict({place: dict(instance_masks=said)})
            part = attrgetter(place)(config)
            for file in ('instance_masks.json', 'new.json'):
                config.inputs.instance_masks.file = file
                resolve_pipelines(config)
            assert part.instance_masks == expected
            assert ('LoadInstanceMasks' in types(part.pipeline)) == (said is not None)
            assert set(config.test_cfg.splits.testA) | set(config.train_dataloader.dataset.datasets.b) == {'split'}
            assert config.train_dataloader.dataset.instance_masks == dict(file='new.json')
            unresolve_pipelines(config)
            assert dict(part) == dict(split='val', instance_masks=said)

    def test_a_part_with_the_pipeline_of_the_others(self):
        """As a config has that was written after an earlier change of its inputs."""
        config = with_parts()
        resolve_pipelines(config)
        config.test_cfg.splits.val.pipeline = copy.deepcopy(config.test_dataloader.dataset.pipeline)
        config.inputs.views.main.size = 96
        resolve_pipelines(config)
        assert config.test_cfg.splits.val.pipeline == config.test_dataloader.dataset.pipeline
        unresolve_pipelines(config)
        assert dict(config.test_cfg.splits.val) == dict(split='val')

    def test_a_loader_that_is_none(self):
        config = tiny_config()
        config.train_dataloader = None
        resolve_pipelines(config)
        assert config.train_dataloader is None


def test_what_the_docstring_shows_works():
    """The example of the module is one."""
    example = inspect.getdoc(sys.modules['mmris.datasets.pipeline_steps']).split('::')[1].split('training:')[0]
    found = {}
    exec(inspect.cleandoc(example), found)
    assert build_pipeline(found['inputs'], 'train')[0] == dict(type='LoadImage', upright=True)


def test_the_block_of_the_documentation(refer_set):
    """Its steps can be built, and run."""
    page = (ROOT / 'docs/inputs.md').read_text()
    block = page[page.index('inputs = dict(\n    steps='):].split('```')[0]
    found = {}
    exec(block, found)
    config = read()
    config.merge_from_dict(dict(inputs=found['inputs']))
    resolve_pipelines(config)
    settings = dict(data_root=str(refer_set), split='val', data_prefix=dict(img_path='images'))
    dataset = DATASETS.build({**config.train_dataloader.dataset, **settings})
    assert 'PhotoMetricDistortion' in [type(step).__name__ for step in dataset.pipeline.transforms]
    assert 'instance_iou' not in dataset[0]['data_samples']


def test_a_predictor_does_what_evaluation_does_to_an_image(refer_set):
    config = Config.fromfile(ROOT / 'configs/cm_masksd/vit-tiny_shaperef.py')
    grey = dict(type='RandomGrayscale', prob=1.0, keep_channels=True, after='load_image')
    config.merge_from_dict(dict(inputs=dict(steps=dict(grey=grey))))
    predictor = Predictor(config, device='cpu')
    settings = dict(data_root=str(refer_set), split='val')
    dataset = DATASETS.build({**predictor.model.cfg.test_dataloader.dataset, **settings})
    sample = dataset[0]
    path = sample['data_samples'].img_path
    with torch.no_grad():
        [expected] = predictor.model.test_step(dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']]))
    predictor.set_image(path)
    assert np.allclose(predictor.predict(expected.text).probabilities, expected.probabilities.numpy(), atol=1e-5)
