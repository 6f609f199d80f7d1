"""A stranger's config: nothing in it is run, and the message says where the fault is and what to do."""

import json

import pytest
from mmengine.model import BaseModule

from mmris.apis import Predictor
from mmris.registry import MODELS
from tests.conftest import tiny_config
from tests.hub.published import Stranger, publish_random


@pytest.fixture(scope='module')
def original(tmp_path_factory):
    return publish_random(tmp_path_factory.mktemp('original') / 'model', tiny_config('cm_masksd/vit-small_shaperef.py'))


@pytest.fixture
def stranger(tmp_path, original):
    return Stranger(tmp_path, original)


def test_untouched_it_is_fine(stranger):
    assert Predictor.from_pretrained(str(stranger.folder), device='cpu') is not None


# Where a part with a type stands, or where one could be slipped in.
PLACES = ['model', 'model.data_preprocessor', 'model.encoder', 'model.neck', 'model.decoder', 'model.head',
          'inputs.tokenizer', 'inputs.views.main']


class TestTypes:

    @pytest.mark.parametrize('place', PLACES)
    def test_a_function_of_python(self, stranger, place):
        # Keys that a model cannot have would be refused before its type is looked at.
        if place == 'model':
            stranger.set('model.type', 'os.system')
        else:
            stranger.set(place, dict(type='os.system', command=stranger.command))
        kind = 'transform' if place.startswith('inputs') else 'model'
        stranger.refuse(f"config.json: {place}.type is 'os.system', which is not the name of a {kind} of mmris. "
                        f'Nothing of the file was run. Ask the publisher to write it again with `mmris push`; do not '
                        f'use the model until then.')

    @pytest.mark.parametrize('name', [
        'os.system', 'builtins.exec', 'subprocess.run', 'mmengine.config.Config.fromfile', 'torch.load',
        'mmris.CLIPEncoder', 'mmris.models.encoders.clip.CLIPEncoder', 'mmseg.FPN', 'mmdet.ResNet',
        'mmengine.Pretrained', 'Pretrained', 'CheckpointHook', 'ImgDataPreprocessor', 'BaseDataPreprocessor',
        'EpochBasedTrainLoop', 'Conv2d', '__class__', '', 'CLIPEncoder ', 'clipencoder'
    ])
    def test_names_that_are_not_registered_here(self, stranger, name):
        stranger.set('model.encoder', dict(type=name, architecture='ViT-B-16'))
        stranger.refuse(f'model.encoder.type is {name!r}, which is not the name of a model of mmris')

    @pytest.mark.parametrize('kind', [None, 1, True, ['CLIPEncoder'], dict(type='os.system'), 'x' * 10000])
    def test_types_that_are_no_names(self, stranger, kind):
        stranger.set('model.encoder.type', kind)
        assert len(stranger.refuse('model.encoder.type is ')) < 1000

    @pytest.mark.parametrize('place, name, belongs', [
        ('model.encoder', 'CRISNeck', 'mmris.models.encoders'),
        ('model.neck', 'CLIPEncoder', 'mmris.models.necks'),
        ('model.head', 'BinaryCrossEntropyLoss', 'mmris.models.heads'),
        ('model.decoder', 'MaskedVisualDistillation', 'mmris.models.decoders'),
        ('model.data_preprocessor', 'ReferringSegmentor', 'mmris.models.data_preprocessor'),
        ('model', 'CLIPEncoder', 'mmris.models.segmentors'),
        ('inputs.views.main', 'LoadImage', 'a geometry such as Letterbox'),
        ('inputs.views.main', 'CLIPTokenizer', 'a geometry such as Letterbox'),
        ('inputs.tokenizer', 'Tokenize', 'a tokenizer such as CLIPTokenizer'),
    ])
    def test_parts_in_the_wrong_place(self, stranger, place, name, belongs):
        stranger.set(f'{place}.type', name)
        stranger.refuse(f'{place}.type is {name}', belongs)

    def test_a_class_that_another_package_registered(self, stranger):

        @MODELS.register_module(name='NotOfThisPackage')
        class NotOfThisPackage(BaseModule):

            def __init__(self) -> None:
                super().__init__()
                stranger.marker.touch()

        try:
            stranger.set('model.head', dict(type='NotOfThisPackage'))
            stranger.refuse("model.head.type is 'NotOfThisPackage', which is not the name of a model of mmris")
        finally:
            MODELS.module_dict.pop('NotOfThisPackage')

    @pytest.mark.parametrize('place', [
        'model.encoder.architecture.vision_cfg.norm', 'model.encoder.taps', 'model.neck.in_channels',
        'model.data_preprocessor.mean', 'model.head.channels', 'model.frozen', 'inputs.views.main.size'
    ])
    def test_a_type_inside_a_value(self, stranger, place):
        stranger.set(place, [dict(type='os.system', command=stranger.command)])
        message = stranger.refuse('config.json: ')
        assert f'{place}.0.type does not belong there' in message or 'vision_cfg.norm does not belong' in message

    @pytest.mark.parametrize('change, said', [
        (dict(model='hf-hub:stranger/model'), 'model is'),
        (dict(model='local-dir:stranger'), 'model is'),
        (dict(model='no_such_model'), "model is 'no_such_model', which is no model of timm"),
        (dict(model=['test_vit']), "model is ['test_vit'], which is no model of timm"),
        (dict(options=dict(norm_layer='os.system')), 'options.norm_layer does not belong there'),
        (dict(options=dict(checkpoint_path='weights.pth')), 'options.checkpoint_path does not belong there'),
    ])
    def test_in_a_part_that_timm_builds(self, stranger, change, said):
        """Which would fetch models by some names, and reads files and imports layers by some arguments."""
        image = dict(type='TimmTower', model='test_vit', joint_channels=128)
        stranger.set('model.encoder.image', dict(image, **change))
        stranger.refuse(f'model.encoder.image.{said}')

    @pytest.mark.parametrize('text, said', [
        (dict(type='os.system', command='touch'), "type is 'os.system', which is not the name of a model of mmris"),
        (dict(type='CRISNeck'), 'type is CRISNeck, which is not of mmris.models.encoders.towers'),
        (dict(type='BERTTextTower', pretrained='weights.pth'), 'pretrained does not belong there'),
    ])
    def test_in_a_text_tower(self, stranger, text, said):
        image = dict(type='PaddedSwin', architecture='tiny')
        stranger.set('model.encoder', dict(type='LAVTEncoder', image=image, text=text))
        stranger.refuse(f'model.encoder.text.{said}')

    def test_in_a_pipeline(self, stranger):
        content = json.loads(stranger.text())
        tokenizer = content.pop('inputs')['tokenizer']
        step = dict(type='os.system', command=stranger.command)
        for steps, place in (([step], 'pipeline.0.type'),
                             ([dict(type='Tokenize', tokenizer=step)], 'pipeline.0.tokenizer.type'),
                             ([dict(type='LoadImage', backend_args=dict(backend='local'))], 'pipeline.0.type'),
                             ([dict(type='Tokenize', tokenizer=tokenizer), step], 'pipeline.1.type')):
            stranger.write(json.dumps(dict(content, pipeline=steps)))
            stranger.refuse(f'{place} is ')


class TestKeys:

    @pytest.mark.parametrize('key, value', [
        ('_base_', ['../program.py']), ('_base_', 'program.py'),
        ('custom_imports', dict(imports=['program'])), ('default_hooks', dict(checkpoint=dict(type='CheckpointHook'))),
        ('custom_hooks', [dict(type='os.system')]), ('load_from', 'https://example.org/x.pth'),
        ('test_dataloader', dict(dataset=dict(type='os.system'))), ('default_scope', 'mmdet'),
        ('env_cfg', {}), ('_scope_', 'mmdet'), ('train_cfg', {}), ('{{ fileDirname }}', 1), ('$HOME', 1),
    ])
    def test_at_the_top(self, stranger, key, value):
        content = json.loads(stranger.text())
        stranger.write(json.dumps({key: value, **content}))
        stranger.refuse(f'config.json: {key} does not belong there: the config may have library_name, format,',
                        'Ask the publisher to write it again with `mmris push`')

    @pytest.mark.parametrize('place', ['model', 'model.encoder', 'model.neck', 'inputs', 'inputs.tokenizer',
                                       'inputs.views.main', 'thresholds'])
    @pytest.mark.parametrize('key', ['_delete_', '_scope_', '_base_', 'init_cfg', 'pretrained', 'trust_pretrained',
                                     'load_from', 'checkpoint', 'backend_args', 'activation_checkpointing', 'losses',
                                     'distillation', '{{ x }}', '__class__'])
    def test_below(self, stranger, place, key):
        stranger.set(f'{place}.{key}', dict(type='Pretrained', checkpoint=str(stranger.program)))
        stranger.refuse(f'config.json: {place}.{key} does not belong there')

    @pytest.mark.parametrize('key', ['type', 'init_cfg', 'pretrained', '_delete_', 'a.b', '{{ x }}', '$x', ''])
    def test_inside_plain_values(self, stranger, key):
        stranger.set('model.data_preprocessor.views', dict(joint={key: str(stranger.program)}))
        stranger.refuse('model.data_preprocessor.views.joint.')

    def test_names_of_views(self, stranger):
        for name in ('{{ x }}', '../x', '_base_', 'a.b'):
            stranger.set('inputs.views', {name: dict(type='Letterbox', size=80)})
            stranger.refuse('inputs.views.', 'is not a plain name')


NORMALISING = 'model.data_preprocessor'


class TestNumbers:
    """Those that a model is built with, but cannot predict with."""

    @pytest.mark.parametrize('place, value, said', [
        ('inputs.views.main.border_colour', ['a', 'b', 'c'], '3 numbers in 0 to 255'),
        ('inputs.views.main.border_colour', [1e30] * 3, '3 numbers in 0 to 255'),
        ('inputs.views.main.border_colour', [0, 0, True], '3 numbers in 0 to 255'),
        ('inputs.views.main.border_colour', 128, '3 numbers in 0 to 255'),
        (f'{NORMALISING}.mean', [1, 2], '3 numbers in -100,000 to 100,000'),
        (f'{NORMALISING}.mean', [1e39, 0, 0], '3 numbers in -100,000 to 100,000'),
        (f'{NORMALISING}.std', [0, 0, 0], '3 numbers in 0.000001 to 100,000'),
        (f'{NORMALISING}.std', [1, 1, 1e-50], '3 numbers in 0.000001 to 100,000'),
        ('model.max_expressions', 1.5, 'a whole number in 1 to 4,096'),
        ('model.max_expressions', True, 'a whole number in 1 to 4,096'),
        ('model.max_expressions', 4097, 'a whole number in 1 to 4,096'),
        ('thresholds.threshold', 7, 'a number in 0 to 1, without 1'),
        ('thresholds.threshold', 1, 'a number in 0 to 1, without 1'),
        ('thresholds.existence_threshold', 0, 'a number between 0 and 1'),
        ('thresholds.existence_threshold', '0.5', 'a number between 0 and 1'),
    ])
    def test_out_of_range(self, stranger, place, value, said):
        stranger.set(place, value)
        stranger.refuse(f'config.json: {place} is ', f' instead of {said}. Nothing of the file was run')

    @pytest.mark.parametrize('name, value, said', [
        ('max_instances', -3, 'is -3 instead of a whole number in 1 to 100,000'),
        ('max_instances', None, 'is None instead of a whole number'), ('min_score', 2, 'is 2 instead of a number in 0'),
    ])
    def test_of_instance_masks(self, stranger, name, value, said):
        stranger.set('instance_masks', {name: value})
        stranger.refuse(f'config.json: instance_masks.{name} {said}')

    def test_of_other_views(self, stranger):
        stranger.set(f'{NORMALISING}.views', dict(joint=dict(mean=[0, 0, 0], std=[1, 1])))
        stranger.refuse(f'config.json: {NORMALISING}.views.joint.std is [1, 1] instead of 3 numbers in 0.000001 to')

    def test_bounds_are_allowed(self, stranger):
        stranger.set('inputs.views.main.border_colour', [0, 127.5, 255])
        stranger.set('model.max_expressions', 4096)
        stranger.set('thresholds', dict(threshold=0))
        Predictor.from_pretrained(str(stranger.folder), device='cpu')


class TestWhatPredictionNeeds:

    def test_a_preprocessor(self, stranger):
        stranger.set(NORMALISING, None)
        stranger.refuse(f'config.json: {NORMALISING} is None instead of a dict with a type')

    def test_the_main_view(self, stranger):
        stranger.set('inputs.views', dict(joint=dict(type='Letterbox', size=80)))
        stranger.refuse('config.json: inputs.views lacks main, the view that masks are predicted on')

    def test_a_view_of_one_name(self, stranger):
        stranger.set('inputs.views.main.view', 'x')
        stranger.refuse('config.json: inputs.views.main.view does not belong there: the view is called main already')

    @pytest.mark.parametrize('steps, said', [
        ('t', "has steps for the views [], but needs one for main"), ('m', 'has 0 steps of the type Tokenize instead'),
        ('mtt', 'has 2 steps of the type Tokenize instead of 1'),
        ('mmt', "has steps for the views ['main', 'main'], but needs one for main, after those for all others"),
        ('ot', "has steps for the views ['joint'], but needs one for main, after those for all others"),
        ('mot', "has steps for the views ['main', 'joint'], but needs one for main, after those for all others"),
    ])
    def test_steps_of_a_pipeline(self, stranger, steps, said):
        content = json.loads(stranger.text())
        inputs = content.pop('inputs')
        known = dict(m=inputs['views']['main'], o=dict(type='Letterbox', size=80, view='joint'),
                     t=dict(type='Tokenize', tokenizer=inputs['tokenizer']))
        stranger.write(json.dumps(dict(content, pipeline=[known[step] for step in steps])))
        stranger.refuse(f'config.json: pipeline {said}')

    def test_names_of_views_in_a_pipeline(self, stranger):
        content = json.loads(stranger.text())
        step = dict(content.pop('inputs')['views']['main'], view=1)
        stranger.write(json.dumps(dict(content, pipeline=[step])))
        stranger.refuse('config.json: pipeline.0.view is 1 instead of the name of a view')


class TestStrings:

    @pytest.mark.parametrize('value', [
        '../program.py', '/etc/passwd', 'https://example.org/x', 'hf-hub:someone/thing', 'local-dir:.',
        '{{ fileDirname }}', '$HOME', '~/x', 'a\nb', 'x' * 1000, 'mmris::x', 'C:\\x', '..', '\u202e', 'a`b', '%s'
    ])
    @pytest.mark.parametrize('place', ['model.encoder.architecture', 'model.protocol', 'model.resampling',
                                       'mmris_version'])
    def test_paths_addresses_and_templates(self, stranger, place, value):
        stranger.set(place, value)
        stranger.refuse(f'config.json: {place} is ', 'no path, address or template')

    @pytest.mark.parametrize('value', ['mmris::../../x.py', '../x.py', '/home/me/x.py', 'https://a.b/x.py', 1, None])
    def test_the_name_of_the_config(self, stranger, value):
        stranger.set('config', value)
        stranger.refuse('config.json: config is ')

    @pytest.mark.parametrize('value', [
        '../words.txt', '/etc/passwd', 'evf-sam', 'vilt-b-32', 'hf-hub:someone/thing', 'shaperef', 'vocab.txt',
        'program.py', None, ['words.txt']
    ])
    def test_vocabularies(self, stranger, value):
        stranger.set('inputs.tokenizer.vocabulary', value)
        message = stranger.refuse('config.json: inputs.tokenizer.vocabulary')
        assert "must be 'words.txt', the file beside the config" in message or 'no path, address or' in message

    def test_a_vocabulary_that_is_not_needed(self, stranger):
        stranger.set('inputs.tokenizer', dict(type='CLIPTokenizer', context_length=12, vocabulary='words.txt'))
        stranger.refuse('inputs.tokenizer.vocabulary')

    @pytest.mark.parametrize('architecture, place', [
        ('xlm-roberta-base-ViT-B-32', 'text_cfg.hf_model_name'),
        ('convnext_base', 'vision_cfg.timm_model_name'),
        ('coca_ViT-B-32', 'multimodal_cfg'),
        (dict(embed_dim=8, vision_cfg=dict(timm_model_name='x', timm_model_pretrained=True), text_cfg={}),
         'vision_cfg.timm_model_name'),
        (dict(embed_dim=8, vision_cfg={}, text_cfg=dict(hf_model_name='x', hf_tokenizer_name='x')),
         'text_cfg.hf_model_name'),
    ])
    def test_architectures_that_other_libraries_download(self, stranger, architecture, place):
        stranger.set('model.encoder.architecture', architecture)
        stranger.refuse(f'config.json: model.encoder.architecture.{place} does not belong there')
