"""Models of timm as image towers: what they give is what timm gives, whichever their family."""

import pytest
import timm
import torch

from mmris.models.encoders import CLIPEncoder, TimmTower
from mmris.models.encoders.towers.timm_form import UnfitModelError
from mmris.registry import MODELS
from mmris.structures import ImageInputs
from tests.conftest import tiny_config
from tests.models.test_image_towers import run_backward
from tests.test_configs import TOY_SWIN, batch_of

# Small ones of the kinds that people take, and sizes that their weights were not trained at.
TOYS = {
    'ViT': (dict(model='test_vit', options=dict(depth=3)), (64, 96)),
    'registers': (dict(model='vit_small_patch14_reg4_dinov2', options=dict(embed_dim=32, depth=3, num_heads=2)),
                  (56, 84)),
    'EVA-02': (dict(model='eva02_tiny_patch14_224', options=dict(embed_dim=32, depth=3, num_heads=2)), (56, 84)),
    'Swin': ({key: value for key, value in TOY_SWIN.items() if key != 'type'}, (64, 96)),
    'ConvNeXt': (dict(model='test_convnext'), (64, 96)),
    'ResNet': (dict(model='test_resnet'), (64, 96)),
}
# Why models of these families are no towers.
REFUSED = {
    'crossvit': 'a stage of 14 x 14 patches does not divide 240 x 240 pixels',
    'csatv2': 'timm does not say where its first convolution is',
    'gemma4_vit': r'its stem encoder adds positions \(patch_embed.position_embedding_table\)',
    'inception_resnet_v2': 'which is no grid of whole cells',
    'inception_v3': 'which is no grid of whole cells',
    'inception_v4': 'which is no grid of whole cells',
    'naflexvit': r'its stem embeds adds positions \(pos_embed\), which masked cells would lose',
    'nasnet': 'which is no grid of whole cells',
    'pit': 'which is no grid of whole cells',
    'pnasnet': 'which is no grid of whole cells',
    'tnt': "it cannot be run without memory .*missing 1 required positional argument: 'pixel_pos'",
    'tresnet': r'it cannot be run without memory \(Invalid channel dimensions\)',
    'xception': 'which is no grid of whole cells',
}
# In names of small models.
_SMALL = ('test_', 'atto', 'nano', 'tiny', '_s', 'small', 'b0', 'mini', '18', '_050', 'm0', '26t', 'ti')


def families():
    """A small model of each module of timm."""
    found = {}
    for name in timm.list_models():
        found.setdefault(timm.model_entrypoint(name).__module__.rpartition('.')[2], []).append(name)
    rank = {part: place for place, part in enumerate(_SMALL)}
    return {
        family: min(names, key=lambda one: min([rank[part] for part in _SMALL if part in one], default=99))
        for family, names in found.items()
    }


def build(kind, **options):
    torch.manual_seed(0)
    return TimmTower(**{**TOYS[kind][0], 'joint_channels': 24, **options})


def images(size, count=2, inside=None):
    height, width = inside or size
    torch.manual_seed(1)
    return ImageInputs(torch.randn(count, 3, *size), torch.tensor([[0.0, 0.0, width, height]]).repeat(count, 1))


def in_timm(tower):
    """The same model by timm alone, with the same weights."""
    model = timm.create_model(tower.model, **tower.form.options).eval()
    stem = tower.form.stem
    weights = {key.replace(f'{stem}.stem.', f'{stem}.'): value for key, value in tower.timm.state_dict().items()}
    missing = set(model.state_dict()) - set(weights)
    model.load_state_dict({**model.state_dict(), **weights})
    return model, missing


def check(tower, size):
    given, (model, _) = images(size), in_timm(tower)
    with torch.no_grad():
        features = tower.encode(tower.embed(given))
        expected = model.forward_intermediates(
            given.pixels, indices=[tap - 1 for tap in tower.taps], norm=tower.form.norm, intermediates_only=True)
        joint = tower.projection(expected[-1])
    assert tuple(stage.size(1) for stage in features.stages) == tower.out_channels
    for mine, theirs in zip(features.stages, (*expected[:-1], joint), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)
    assert torch.equal(features.patches, features.stages[-1].flatten(2).transpose(1, 2))
    assert features.stages[-1].shape[2:] == tuple(pixels // side for pixels, side in zip(size, tower.stride))


# Two stand for all in `make test`.
@pytest.mark.parametrize('kind', [
    pytest.param(kind, marks=() if kind in ('registers', 'ResNet') else pytest.mark.slow) for kind in TOYS])
class TestTowers:

    def test_stages_are_timms(self, kind):
        check(build(kind).eval(), TOYS[kind][1])

    def test_masked_cells_are_without_what_they_held(self, kind):
        """A patch of the output that is replaced is forgotten: whatever it held, features are the same."""
        size, tower = TOYS[kind][1], build(kind).eval()
        encoder = CLIPEncoder(architecture=tiny_config().model.encoder.architecture, image=dict(TOY_SWIN))
        given, others = images(size), images(size)
        side = tower.stride[0]
        # What is within a patch and out of reach of its neighbours' cells.
        inner = slice(side + side // 4, 2 * side - side // 4)
        others.pixels[:, :, inner, inner] += 1
        grid = tuple(pixels // side for pixels in size)
        mask = torch.zeros(2, *grid, dtype=torch.bool)
        mask[:, 1, 1] = True
        vector = torch.randn(tower.cell_channels)
        found, plain = [], []
        with torch.no_grad():
            for one in (given, others):
                embeddings = tower.embed(one)
                plain.append(tower.encode(embeddings).patches)
                found.append(tower.encode(encoder.replace_patches(embeddings, mask, vector)).patches)
        assert torch.allclose(*found, atol=1e-5) and not torch.allclose(*plain, atol=1e-3)
        assert not torch.allclose(found[0], plain[0], atol=1e-3)

    def test_the_whole_image_is_without_its_border(self, kind):
        size, tower = TOYS[kind][1], build(kind).eval()
        side = tower.stride[0]
        features = tower.encode(tower.embed(images(size, inside=(side, size[1]))))
        expected = features.patches[:, :size[1] // side].mean(dim=1)
        assert torch.allclose(features.image_global, expected, atol=1e-5)

    def test_every_parameter_is_trained_or_frozen(self, kind):
        tower = build(kind)
        features = tower.encode(tower.embed(images(TOYS[kind][1])))
        (features.stages[0].square().mean() + features.patches.square().mean()).backward()
        for name, value in tower.named_parameters():
            assert value.requires_grad == (value.grad is not None), name

    def test_weights_of_timm(self, kind, tmp_path):
        """Classifier and all: what is before the last tap is loaded, the rest left."""
        torch.manual_seed(2)
        arguments = TOYS[kind][0]
        source = timm.create_model(arguments['model'], **arguments.get('options', {}))
        path = tmp_path / 'model.pth'
        torch.save(source.state_dict(), path)
        tower = build(kind, pretrained=str(path))
        tower.load_pretrained()
        model, _ = in_timm(tower.eval())
        for key, value in source.state_dict().items():
            assert key not in model.state_dict() or torch.equal(model.state_dict()[key], value), key
        tower = build(kind, pretrained=str(path))
        broken = dict(source.state_dict())
        broken.pop(next(key for key in broken if key.endswith('weight')))
        torch.save(dict(broken, of_another=torch.ones(1)), path)
        with pytest.raises(RuntimeError, match=f'does not fit {tower.model} of timm, .* Left over: of_another'):
            tower.load_pretrained()

    def test_activation_checkpointing(self, kind):
        """Less is kept; gradients and running statistics are the same."""
        found, kept = [], []
        for activation_checkpointing in (False, True):
            gradients, buffers, size = run_backward(
                build(kind, activation_checkpointing=activation_checkpointing), images(TOYS[kind][1]))
            found.append({**gradients, **buffers})
            kept.append(size)
        assert found[0].keys() == found[1].keys()
        for name, value in found[0].items():
            assert torch.allclose(value, found[1][name], atol=1e-6), name
        assert kept[1] < kept[0] * 0.7, kept

    def test_both_branches_train_every_parameter(self, kind, refer_set):
        torch.manual_seed(0)
        config = tiny_config().model
        config.auxiliary_losses = None
        config.encoder.pop('taps')
        config.encoder.image = dict(type='TimmTower', **TOYS[kind][0])
        width = config.encoder.architecture['embed_dim']
        config.neck.update(in_channels=build(kind, joint_channels=width).out_channels, sentence_channels=width)
        config.head.update(sentence_channels=width)
        model = MODELS.build(config).train()
        loader = tiny_config().train_dataloader
        for step in loader.dataset.pipeline:
            if 'size' in step:
                step.size = 84 if model.encoder.image.stride[0] == 14 else 96
        batch = model.data_preprocessor(batch_of(loader, refer_set, 'refs(unc).p'), True)
        losses = model(**batch, mode='loss')
        assert {'loss_bce', 'loss_lmvsd', 'loss_vmlsd'} <= set(losses)
        model.parse_losses(losses)[0].backward()
        still = [name for name, value in model.named_parameters() if value.requires_grad and value.grad is None]
        assert not still, still


@pytest.mark.slow
class TestFamilies:

    @pytest.mark.parametrize('family, name', families().items())
    def test_it_is_a_tower_or_refused_with_the_reason(self, family, name):
        with torch.device('meta'):
            if family in REFUSED:
                reason = f'{name} of timm cannot be an image tower: .*{REFUSED[family]}'
                with pytest.raises(UnfitModelError, match=reason):
                    TimmTower(model=name, joint_channels=8)
                return
            tower = TimmTower(model=name, joint_channels=8)
            size = tower.form.size or (2 * tower.stride[0], 3 * tower.stride[0])
            features = tower.eval().encode(tower.embed(images(size)))
        assert tuple(stage.size(1) for stage in features.stages) == tower.out_channels

    @pytest.mark.parametrize('family, name', families().items())
    def test_its_stages_are_timms(self, family, name):
        if family not in REFUSED:
            torch.manual_seed(0)
            tower = TimmTower(model=name, joint_channels=8).eval()
            check(tower, tower.form.size or (2 * tower.stride[0], 3 * tower.stride[0]))


class TestArguments:

    def test_the_joint_space_is_that_of_the_text(self):
        encoder = tiny_config().model.encoder
        encoder.pop('taps')
        encoder.image = dict(type='TimmTower', model='test_resnet')
        built = MODELS.build(encoder)
        assert built.image.out_channels[-1] == encoder.architecture['embed_dim']
        encoder.image.joint_channels = 7
        assert MODELS.build(encoder).image.out_channels[-1] == 7

    def test_taps(self):
        assert build('ResNet', taps=(2, 5)).taps == (2, 5)
        assert build('ViT').taps == (1, 2, 3) and build('ResNet').taps == (3, 4, 5)
        with pytest.raises(ValueError, match='end at the last of 5 blocks'):
            build('ResNet', taps=(1, 2))
        with pytest.raises(ValueError, match='tower of 2 blocks has no default taps, which are three: set taps='):
            TimmTower(model='test_vit', options=dict(depth=2), joint_channels=8)

    @pytest.mark.parametrize('name, said', [
        ('vit_bas_patch16_224', 'is no model of timm .* such as vit_bas'),
        ('test_vit.r160_in1k', 'such as test_vit; a tag of its weights, such as dino, is set as pretrained'),
        ('hf-hub:stranger/model', 'is no model of timm'), (3, 'is no model of timm')])
    def test_names(self, name, said):
        with pytest.raises(ValueError, match=said):
            TimmTower(model=name, joint_channels=8)

    def test_options(self):
        with pytest.raises(ValueError, match='options of TimmTower has checkpoint_path, which TimmTower sets itself'):
            build('ResNet', options=dict(checkpoint_path='weights.pth'))
        with pytest.raises(ValueError, match=r"test_resnet of timm does not take options=\{'colour': 3\}"):
            build('ResNet', options=dict(colour=3))
        with pytest.raises(ValueError, match=r"options=\{'embed_dim': 33\} of TimmTower \(dim should be divisible"):
            TimmTower(model='test_vit', options=dict(embed_dim=33), joint_channels=8)
        with pytest.raises(ValueError, match=r'options of TimmTower must be a dict, .* but got \[1\]'):
            build('ResNet', options=[1])

    def test_sizes(self):
        """Of a model whose positions belong to one size."""
        tower = TimmTower(model='test_vit_relpos', joint_channels=8)
        with pytest.raises(ValueError, match=r'is 64 x 96 pixels .* built for 160 x 160. Set image_size=\(64, 96\)'):
            tower.embed(images((64, 96)))
        tower = TimmTower(model='test_vit_relpos', joint_channels=8, image_size=(64, 96)).eval()
        check(tower, (64, 96))
        with pytest.raises(ValueError, match='image_size=.64, 64. of TimmTower is not needed: test_resnet of timm'):
            build('ResNet', image_size=64)
        with pytest.raises(ValueError, match='The input is 64 x 80 pixels .* must be a multiple of 32 x 32'):
            build('ResNet').embed(images((64, 80)))

    @pytest.mark.parametrize('mode', [torch.no_grad, torch.inference_mode])
    def test_built_for_inference(self, mode):
        with mode():
            tower = build('ResNet')
        assert all(parameter.requires_grad for parameter in tower.timm.parameters())

    def test_other_patches(self):
        """Of a side that does not divide the images that the weights were trained on."""
        options = dict(embed_dim=32, depth=3, num_heads=2, patch_size=8)
        for image_size in (None, 64):
            tower = TimmTower(
                model='vit_small_patch14_reg4_dinov2', options=options, joint_channels=8, image_size=image_size)
            check(tower.eval(), (64, 96))

    def test_positions_are_resized_when_they_are_loaded(self, tmp_path):
        source = timm.create_model('beit_base_patch16_224', embed_dim=32, depth=3, num_heads=2)
        torch.save(source.state_dict(), tmp_path / 'beit.pth')
        tower = TimmTower(
            model='beit_base_patch16_224', options=dict(embed_dim=32, depth=3, num_heads=2), joint_channels=8,
            image_size=96, pretrained=str(tmp_path / 'beit.pth'))
        tower.load_pretrained()
        check(tower.eval(), (96, 96))

    def test_sources(self, tmp_path):
        with pytest.raises(ValueError, match='neither a file nor a folder nor a tag of timm: tags of test_vit are r'):
            build('ViT', pretrained='no_such_tag').load_pretrained()
        tower = build('ResNet')
        state = {f'encoder.image.{key}': value for key, value in tower.state_dict().items()}
        torch.save(dict(state_dict={**state, 'neck.weight': torch.ones(1)}), tmp_path / 'best_mIoU_epoch_3.pth')
        torch.manual_seed(5)
        other = TimmTower(model='test_resnet', joint_channels=24, pretrained=str(tmp_path))
        before = other.projection.weight.clone()
        other.load_pretrained()
        assert all(torch.equal(value, other.timm.state_dict()[key]) for key, value in tower.timm.state_dict().items())
        assert torch.equal(other.projection.weight, before)
