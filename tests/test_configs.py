"""Every config is found, built at toy size, and runs a loss and a prediction."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from mmris.datasets.pipelines import resolve_pipelines
from mmris.registry import DATASETS, MODELS
from mmris.structures import ExpressionBatch, ImageInputs, ImageView, InstanceMasks
from mmris.utils.pretrained import forget_pretrained
from tests.conftest import ROOT, tiny_config

CONFIGS = sorted(path for path in (ROOT / 'configs').glob('*/**/*.py') if '_base_' not in path.parts)
# A new config raises this number, so that one that is not found is noticed.
NUMBER_OF_CONFIGS = 186
HEADER = ('Paper:', 'Data:', 'Cost:', 'Command: ')


TOY_TEXT = dict(context_length=24, vocab_size=49408, width=40, heads=2, layers=1)
TOY_SWIN = dict(
    type='TimmTower', model='swin_tiny_patch4_window7_224',
    options=dict(embed_dim=8, depths=(1, 1, 2, 1), num_heads=(1, 2, 2, 2), window_size=4))


def shrink(config: Config) -> Config:
    """Toy widths and depths; wiring, losses, branches and pipelines, which are added, stay the config's own."""
    shrinks = dict(
        BEiT3Encoder=shrink_beit3,
        DETRISEncoder=shrink_detris,
        EVFSAMEncoder=shrink_evf_sam,
        LAVTEncoder=shrink_lavt,
        RISCLIPEncoder=shrink_risclip,
        TrimodalEncoder=shrink_trimodal)
    shrink_model = shrinks.get(config.model.encoder.type, shrink_clip)
    size = shrink_model(config.model)
    forget_pretrained(config.model)
    for view in config.inputs.views.values():
        view.size = size
    if not config.inputs.tokenizer.get('vocabulary', 'shaperef').startswith('shaperef'):
        # A file that users get; that of ShapeRef's words comes with the package.
        lengths = {key: value for key, value in config.inputs.tokenizer.items()
                   if key in ('context_length', 'pad_to_longest')}
        config.inputs.tokenizer = dict(type='CLIPTokenizer', **lengths)
    shrink_random_masks(config.model)
    resolve_pipelines(config)
    return config


def shrink_random_masks(model: Config) -> None:
    """Blocks that fit into small images; and a [MASK] among the tokens of the vocabulary that stands for BERT's."""
    masking = [branch for branch in (model.get('distillation') or {}).values() if branch.type == 'MaskRISDistillation']
    for masks in (*masking, model.data_preprocessor.get('masking') or {}):
        if masks.get('image') is not None:
            masks.image.block = 8
        if masks.get('words') is not None and not masks.get('learned_mask'):
            masks.words.vocabulary = dict(size=49408, special=(49406, 49407), mask=0)


def shrink_timm(image: Config) -> tuple:
    """Shrink a model of timm; the input's size in pixels, and the widths of its stages."""
    if image.model.startswith('swin'):
        image.update(TOY_SWIN)
        return 64, (16, 32, 24)
    image.options = dict(embed_dim=32, depth=3, num_heads=2)
    image.taps = (1, 2, 3)
    return 56, (32, 32, 24)


def shrink_clip(model: Config) -> int:
    """Shrink a model on CLIP; the input's size in pixels."""
    encoder, size = model.encoder, 64
    if isinstance(encoder.architecture, str):
        patch = 14 if 'L-14' in encoder.architecture else 16
        size, channels = 4 * patch, (32, 32, 24)
        vision = dict(image_size=2 * patch, patch_size=patch, width=32, head_width=16, layers=3)
        if 'image' in encoder:
            size, channels = shrink_timm(encoder.image)
        elif encoder.architecture.startswith('RN'):
            vision, channels = dict(image_size=64, layers=[1, 1, 1, 1], width=8, head_width=32), (64, 128, 24)
        else:
            encoder.taps = (1, 2, 3)
        encoder.architecture = dict(embed_dim=24, vision_cfg=vision, text_cfg=TOY_TEXT)
        model.neck.update(in_channels=channels, sentence_channels=24, out_channels=(8, 16, 16))
        model.decoder.update(channels=16, word_channels=40, num_layers=1, num_heads=2, feedforward_channels=16)
        model.head.update(channels=16, sentence_channels=24)
    return size


def shrink_risclip(model: Config) -> int:
    """Shrink a model on RISCLIP's encoder; the input's size in pixels."""
    encoder, patch = model.encoder, 16
    if isinstance(encoder.architecture, str):
        patch, blocks = (14, 8) if 'L-14' in encoder.architecture else (16, 4)
        vision = dict(image_size=2 * patch, patch_size=patch, width=32, head_width=16, layers=blocks)
        encoder.architecture = dict(embed_dim=24, vision_cfg=vision, text_cfg=dict(TOY_TEXT, layers=4))
        encoder.update(taps=[blocks * quarter // 4 for quarter in (1, 2, 3, 4)], cfe_channels=16, cfe_heads=2)
        encoder.ske_heads = 2
        encoder.ske_modules = min(encoder.ske_modules, 2)
        if encoder.cfe_blocks and encoder.cfe_blocks != 'all':
            encoder.cfe_blocks = (3, 4)
        if 'decoder' in model:
            model.decoder.update(in_channels=(32, 32, 32, 32), channels=16)
            model.head.channels = 16
    return 4 * patch


def shrink_detris(model: Config) -> int:
    """Shrink a model on DETRIS's encoder; the input's size in pixels. The three sets' adapters stay wider, and more."""
    encoder, patch = model.encoder, 8
    if isinstance(encoder.architecture, str):
        wide, patch = encoder.text_adapter_channels > 64, 14
        encoder.architecture = dict(
            embed_dim=24, vision_cfg=dict(image_size=32, patch_size=16, width=32, head_width=16, layers=1),
            text_cfg=dict(TOY_TEXT, layers=3))
        encoder.image.update(architecture=dict(layers=4, channels=32, heads=2, image_size=42), taps=(2, 3, 4))
        encoder.update(
            image_adapter_blocks=(2, 3, 4) if wide else (2, 4), image_adapter_channels=48 if wide else 32,
            text_adapter_blocks=(2, 3), text_adapter_channels=32 if wide else 16,
            attention_channels=16, attention_heads=2)
        model.neck.update(in_channels=(32, 32, 32), sentence_channels=24, channels=16)
        model.decoder.update(channels=16, word_channels=40, num_layers=1, num_heads=2, feedforward_channels=16)
        model.head.update(channels=16, sentence_channels=24)
    return 4 * patch


def shrink_lavt(model: Config) -> int:
    """Shrink a model on LAVT's encoder; the input's size in pixels."""
    encoder = model.encoder
    if isinstance(encoder.image.architecture, str):
        widths = (8, 16, 32, 64)
        encoder.image.architecture = dict(layers=(1, 1, 2, 1), channels=8, heads=(1, 2, 2, 2), window=4)
        encoder.text.architecture = dict(layers=2, channels=32, heads=2, vocabulary=49408, text_positions=24)
        model.decoder.update(in_channels=(*widths[:-1], 32) if encoder.get('joint_map') else widths, channels=16)
        model.head.channels = 16
    return 64


def shrink_beit3(model: Config) -> int:
    """Shrink a model on BEiT-3; the input's size in pixels."""
    encoder, neck = model.encoder, model.neck
    if isinstance(encoder.architecture, str):
        encoder.architecture = dict(layers=4, channels=32, heads=2, patch_size=16, image_size=32)
        encoder.taps = (1, 2, 3, 4)[-len(encoder.taps):]
        widths = (32, ) * len(encoder.taps)
        joint = encoder.get('joint_channels')
        if joint is not None:
            encoder.joint_channels = joint = 24
        if neck.type == 'CRISNeck':
            neck.update(in_channels=(32, 32, joint or 32), sentence_channels=joint or 32, out_channels=(8, 16, 16))
        else:
            neck.update(in_channels=32 if neck.type == 'ProjectionNeck' else widths, channels=16)
        if 'num_heads' in neck:
            neck.num_heads = 2
        model.decoder.update(channels=16, num_heads=2)
        if 'word_channels' in model.decoder:
            model.decoder.word_channels = 32
        model.head.channels = 16
        if model.head.type == 'DynamicConvolutionHead':
            model.head.sentence_channels = joint
    return 64


def shrink_trimodal(model: Config) -> int:
    """Shrink a model on the trimodal encoder; the input's size in pixels."""
    encoder = model.encoder
    if isinstance(encoder.architecture, str):
        encoder.architecture = dict(layers=4, channels=32, heads=2, patch_size=16, image_size=32, vocabulary=49408)
        model.decoder.update(in_channels=32, channels=(16, 12, 8))
        model.head.channels = 8
    return 64


def shrink_evf_sam(model: Config) -> int:
    """Shrink a model that prompts SAM; the size of both views in pixels."""
    encoder = model.encoder
    if isinstance(encoder.segmenter.architecture, str):
        toys = dict(
            SAMTower=dict(
                layers=2, channels=32, heads=2, global_layers=(2, ), patch_size=8, image_size=64, window_size=4),
            SAM2Tower=dict(
                layers=(1, 1, 2, 1), channels=8, heads=1, global_layers=(4, ), window_sizes=(8, 4, 4, 2),
                position_grid=3))
        encoder.segmenter.architecture = dict(toys[encoder.segmenter.type], out_channels=16)
        encoder.joint.architecture = dict(layers=4, channels=32, heads=2, patch_size=16, image_size=32)
        model.neck.update(in_channels=32, channels=16)
        model.head.update(channels=16, num_heads=2, feedforward_channels=16)
    return 64


def shrink_existence(config: Config) -> None:
    """Give the existence head the widths of the toy model, which its mask head has."""
    if config.model.get('existence') is not None:
        head = config.model.head
        config.model.existence.update(
            channels=head.channels, sentence_channels=head.get('sentence_channels', head.channels))


def batch_of(loader: Config, folder: Path, refs_file: str) -> dict:
    settings = dict(data_root=str(folder), data_prefix=dict(img_path='images'), split='val')
    if 'image_share' in loader.dataset:
        settings['image_share'] = None
    files = dict(refs_file=refs_file, ann_file='instances.json')
    if loader.dataset.type == 'MixedDataset':
        settings.update(datasets={name: files for name in loader.dataset.datasets}, exclude=None)
    else:
        settings.update(files)
    if 'instance_masks' in loader.dataset:
        settings.update(instance_masks=dict(file='instance_masks.json'))
    dataset = DATASETS.build({**loader.dataset, **settings})
    packed = [dataset[index] for index in range(3)]
    batch = {name: [one[name] for one in packed] for name in ('inputs', 'data_samples')}
    if 'views' in packed[0]:
        batch['views'] = {name: [one['views'][name] for one in packed] for name in packed[0]['views']}
    return batch


def measured_by(branch: Config) -> list:
    """What a branch of distillation logs beside its loss."""
    if branch.type == 'MaskRISDistillation':
        of_image = [] if branch.image is None else ['masked_image', 'target_share', 'chance']
        return of_image + ([] if branch.words is None else ['masked_words'])
    return ['target_share', 'chance'] if branch.type == 'MaskedVisualDistillation' else []


def test_all_are_found():
    assert len(CONFIGS) == NUMBER_OF_CONFIGS, [str(path.relative_to(ROOT)) for path in CONFIGS]


@pytest.mark.slow
def test_each_trains_in_a_folder_of_its_own():
    folders = [Config.fromfile(path).get('work_dir', f'work_dirs/{path.stem}') for path in CONFIGS]
    assert len(set(folders)) == len(folders), sorted(folders)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: str(path.relative_to(ROOT / 'configs')))
def test_config(path, refer_set):
    torch.manual_seed(0)
    config = shrink(Config.fromfile(path))
    shrink_existence(config)
    model = MODELS.build(config.model)
    model.train()
    if config.train_dataloader is None:
        assert not any(parameter.requires_grad for parameter in model.parameters())
    else:
        inputs = model.data_preprocessor(batch_of(config.train_dataloader, refer_set, 'refs(unc).p'), True)
        losses = model(**inputs, mode='loss')
        groups = [config.model.get(group) or {} for group in ('losses', 'auxiliary_losses', 'distillation')]
        branches = config.model.get('distillation') or {}
        measured = {f'{what}_{name}' for name, branch in branches.items() for what in measured_by(branch)}
        head = {'loss_existence', 'existence_accuracy', 'chance_existence'} if config.model.get('existence') else set()
        assert set(losses) == {f'loss_{name}' for group in groups for name in group} | measured | head
        assert all(0 <= losses[name] <= 1 for name in measured)
        total, _ = model.parse_losses(losses)
        assert total.isfinite() and total > 0
        total.backward()
    model.eval()
    with torch.no_grad():
        samples = model.test_step(batch_of(config.val_dataloader, refer_set, 'refs(unc).p'))
    for sample in samples:
        assert sample.probabilities.shape == sample.gt_original.shape
        assert 0 <= sample.probabilities.min() and sample.probabilities.max() <= 1


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: str(path.relative_to(ROOT / 'configs')))
def test_full_size(path):
    """Unshrunk, on the meta device: widths fit together, and logits lie on the grid that the method says."""
    config = Config.fromfile(path)
    size, length = config.inputs.views.main.size, config.inputs.tokenizer.context_length
    forget_pretrained(config.model)
    with torch.device('meta'):
        model = MODELS.build(config.model).eval()
        encoder = model.encoder
        found = InstanceMasks(torch.zeros(1, 3, size, size, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool))
        views = {
            name: ImageView(torch.zeros(1, 3, view.size, view.size), torch.zeros(1, 4))
            for name, view in config.inputs.views.items() if name != 'main'
        }
        images = ImageInputs(torch.zeros(1, 3, size, size), torch.zeros(1, 4), found, views)
        tokens = torch.zeros(2, length, dtype=torch.int64)
        text = encoder.encode_text(encoder.embed_text(ExpressionBatch(tokens, tokens == 0, tokens[:, 0])))
        encoded = encoder.join(model.encode_images(images), text, tokens[:, 0])
        logits = model.answer(model.fuse(encoded)).logits
    height, width = encoded.image.stages[1].shape[-2:]
    if config.model.head.type in ('SAMMaskHead', 'SAM2MaskHead'):
        height, width = encoded.maps.values[-1].shape[-2:]
        assert logits.shape == (2, 1, 4 * height, 4 * width) and 4 * height >= size / 4
    elif config.model.head.type == 'CosineHead':
        assert logits.shape == (2, 1, height, width)
    elif config.model.encoder.type == 'TrimodalEncoder':
        scale = 2**len(model.decoder.blocks)
        assert logits.shape == (2, 1, scale * height, scale * width) and logits.size(2) >= size / 4
    elif config.model.encoder.type == 'LAVTEncoder':
        assert logits.shape == (2, 1, size, size)
    elif config.model.head.type == 'ConvolutionHead':
        assert logits.shape == (2, 1, 8 * model.head.upsample * height, 8 * model.head.upsample * width)
        assert logits.size(2) >= size
    else:
        assert logits.shape == (2, 1, 4 * height, 4 * width) and 4 * height >= size / 4


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: str(path.relative_to(ROOT / 'configs')))
def test_what_every_config_says(path):
    """It opens with what a reader needs, picks checkpoints on val, and its command names itself."""
    text = path.read_text()
    comments = [line[2:] for line in text.split('_base_')[0].splitlines() if line.startswith('# ')]
    for header in HEADER:
        assert any(line.startswith(header) for line in comments), f'{path} lacks "{header}"'
    assert f'{path.relative_to(ROOT)}' in next(line for line in comments if line.startswith('Command: '))
    config = Config.fromfile(path)
    validated, checkpoint = config.val_dataloader.dataset, config.default_hooks.checkpoint
    if 'image_share' in validated:
        # gRefCOCO's val differs in kind from its train. A part of train is held back, and shares no image with it.
        assert validated.split == 'train' and validated.image_share[1] <= config.train_dataloader.dataset.image_share[0]
        assert 'image_share' not in config.test_dataloader.dataset
    else:
        assert validated.split == 'val'
    generalised = config.model.get('existence') is not None
    assert checkpoint.save_best == ('gIoU' if generalised else 'mIoU') and checkpoint.rule == 'greater'
    assert (config.model.get('protocol') == 'rela') == generalised
    if config.train_dataloader is None:
        assert config.train_dataloader is config.train_cfg is config.optim_wrapper is None
        return
    assert config.train_dataloader.drop_last
    if path.stem in ('vit-tiny_224', 'tiny_224'):
        # The configs that say that they fit what they evaluate on, as a check of the path from files to masks.
        assert config.train_dataloader.dataset.split == 'val'
    else:
        assert config.train_dataloader.dataset.split == 'train'
        assert config.train_dataloader.sampler.type == 'ReferringSampler'


def test_main_configs_have_the_papers_settings():
    config = Config.fromfile(ROOT / 'configs/cm_masksd/vit-b_refcoco.py')
    visual, language = config.model.distillation.lmvsd, config.model.distillation.vmlsd
    assert (visual.mask_ratio, visual.correlation_filter.top_k, visual.loss.loss_weight) == (0.25, 0.5, 0.75)
    assert (language.mask_ratio, language.correlation_filter.top_k, language.loss.loss_weight) == (0.1, 0.5, 0.1)
    assert config.optim_wrapper.optimizer == dict(type='Adam', lr=1e-5, weight_decay=5e-4, fused=True)
    assert config.train_cfg.max_epochs == 100 and config.auto_scale_lr.base_batch_size == 32


def test_cris_has_its_published_schedule():
    """The rate of each parameter, as the optimiser gets it."""
    config = shrink(Config.fromfile(ROOT / 'configs/cris/rn50_refcoco.py'))
    assert config.train_cfg.max_epochs == 50 and config.auto_scale_lr.base_batch_size == 64
    assert config.train_dataloader.batch_size * 8 == 64
    model = MODELS.build(config.model)
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    rates = {id(value): group['lr'] for group in wrapper.param_groups for value in group['params']}
    assert {group['weight_decay'] for group in wrapper.param_groups} == {0}
    for name, value in model.named_parameters():
        tower = name.startswith('encoder.') and not name.endswith('positional_embedding')
        assert rates[id(value)] == pytest.approx(1e-5 if tower else 1e-4), name
    assert sum(name.endswith('positional_embedding') for name, _ in model.named_parameters()) == 2
    assert config.param_scheduler == [
        dict(type='MultiStepLR', milestones=[35], gamma=0.1, begin=0, end=50, by_epoch=True)
    ]


@pytest.mark.parametrize('name, size, length', [
    ('cm_masksd/vit-b_refcoco', 576, 17),
    ('cm_masksd/vit-b_refcoco+', 576, 17),
    ('cm_masksd/vit-b_refcocog_umd', 576, 22),
    ('cm_masksd/vit-l_refcoco', 532, 17),
    ('cm_masksd/vit-l_refcocog_google', 532, 22),
    ('cris/rn50_refcoco', 416, 17),
    ('cris/rn101_refcocog_umd', 416, 22),
])
def test_sizes_and_lengths(name, size, length):
    config = tiny_config(f'{name}.py')
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        steps = {step.type: step for step in loader.dataset.pipeline}
        assert steps['Letterbox'].size == size
        assert steps['Tokenize'].tokenizer.context_length == length


ABLATIONS = [path for path in CONFIGS if path.parts[-3:-1] == ('cm_masksd', 'ablations')]


@pytest.mark.parametrize('path', ABLATIONS, ids=lambda path: path.stem)
def test_ablations_vary_what_their_names_say(path):
    """Branch, sharing, and at most one setting; all else is the paper's final setting, at its ablations' size."""
    config = Config.fromfile(path)
    full_size = not path.stem.startswith('shaperef')
    assert config.inputs.views.main.size == (480 if full_size else 64)
    row, *varied = path.stem.removeprefix('shaperef_').split('_')
    branches = dict(baseline=[], lmvsd=['lmvsd'], vmlsd=['vmlsd'], both=['lmvsd', 'vmlsd'])[row]
    final = Config.fromfile(ROOT / 'configs/_base_/models/masked_distillation.py').distillation
    shared = varied == ['shared'] or path.stem == 'shaperef_both'
    expected = {name: dict(final[name], share_weights=shared) for name in branches}
    if varied and varied != ['shared']:
        what, value = varied[0].split('-')
        settings = {
            'weight': dict(loss=dict(final[row].loss, loss_weight=float(value))),
            'ratio': dict(mask_ratio=float(value)),
            'topk': dict(correlation_filter=dict(final[row].correlation_filter, top_k=float(value)))
        }
        expected[row].update(settings[what])
    assert config.model.get('distillation', {}) == expected
