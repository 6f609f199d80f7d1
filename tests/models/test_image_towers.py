"""Image towers other than CLIP's ViT: CLIP's ResNet with the spatial attention pool, and a Swin of timm."""

import pytest
import torch
import torch.nn.functional as F

from mmris.models.encoders import CLIPEncoder, TimmTower
from mmris.registry import MODELS
from mmris.structures import ImageEmbeddings, ImageInputs
from tests.conftest import tiny_config
from tests.test_configs import TOY_SWIN, batch_of

RESNET = dict(
    embed_dim=24,
    vision_cfg=dict(image_size=64, layers=[1, 2, 1, 1], width=8, head_width=32),
    text_cfg=dict(context_length=16, vocab_size=64, width=40, heads=2, layers=2))


def images(count, height, width):
    box = torch.tensor([[0.0, 0.0, width, height]]).repeat(count, 1)
    return ImageInputs(torch.randn(count, 3, height, width), box)


def resnet(**options):
    torch.manual_seed(0)
    return CLIPEncoder(architecture=RESNET, **options)


def swin(**options):
    torch.manual_seed(0)
    return MODELS.build(dict(TOY_SWIN, joint_channels=24, **options))


class TestResNet:

    def test_stages(self):
        features = resnet().eval().image.encode(resnet().image.embed(images(2, 64, 96)))
        assert [stage.shape for stage in features.stages] == [(2, 64, 8, 12), (2, 128, 4, 6), (2, 24, 2, 3)]
        assert features.patches.shape == (2, 6, 24) and features.image_global.shape == (2, 24)

    def test_the_pool_is_asked_at_every_pixel(self):
        tower = resnet().eval().image
        pool, cells = tower.clip.attnpool, torch.randn(1, 256, 2, 2)
        _, positions = pool.positional_embedding.tensor_split((1, ))
        tokens = cells.flatten(2).transpose(1, 2)[0] + positions
        weights = (pool.q_proj(tokens) / 32**0.5).view(4, -1, 32).transpose(0, 1)
        weights = (weights @ pool.k_proj(tokens).view(4, -1, 32).permute(1, 2, 0)).softmax(dim=-1)
        values = weights @ pool.v_proj(tokens).view(4, -1, 32).transpose(0, 1)
        expected = pool.c_proj(values.transpose(0, 1).flatten(1))
        tower.clip.layer1 = tower.clip.layer2 = tower.clip.layer3 = tower.clip.layer4 = torch.nn.Sequential()
        features = tower.encode(ImageEmbeddings(cells=cells, inside=torch.ones(1, 2, 2) > 0))
        assert torch.allclose(features.patches[0], expected, atol=1e-5)
        joint = expected.T.view(1, 24, 2, 2)
        assert torch.allclose(features.stages[-1], F.relu(joint + tower.shortcut(cells)), atol=1e-5)

    def test_a_patch_of_the_output_covers_its_cells(self):
        """Masks on the last grid replace all of the stem's cells below, and no others."""
        encoder = resnet()
        embeddings = encoder.embed_image(images(1, 64, 96))
        assert embeddings.cells.shape == (1, 8, 16, 24) and embeddings.inside.shape == (1, 2, 3)
        mask = torch.zeros(1, 2, 3, dtype=torch.bool)
        mask[0, 1, 2] = True
        masked = encoder.replace_patches(embeddings, mask, torch.full((8, ), 7.0)).cells
        assert (masked[:, :, 8:, 16:] == 7).all()
        assert torch.equal(masked[:, :, :8], embeddings.cells[:, :, :8])
        assert torch.equal(masked[:, :, :, :16], embeddings.cells[:, :, :, :16])

    def test_input_size(self):
        with pytest.raises(ValueError, match='input is 64 x 80 pixels .* must be a multiple of 32 x 32'):
            resnet().embed_image(images(1, 64, 80))

    def test_taps(self):
        assert len(resnet(taps=(3, 4)).eval().image.encode(resnet().image.embed(images(1, 64, 64))).stages) == 2
        with pytest.raises(ValueError, match='taps must increase, begin at 1 or later, and end at the last of 4'):
            resnet(taps=(1, 2, 3))


@pytest.mark.parametrize('build', [resnet, swin])
@pytest.mark.parametrize('taps', [4, ['2', '4']])
def test_what_are_no_taps(build, taps):
    with pytest.raises(ValueError, match=r'taps of \w+ must be whole numbers in a list, such as \(2, 3, 4\), but got'):
        build(taps=taps)


class TestActivationCheckpointingOfTheEncoder:
    """Which of the two configs another image tower follows."""

    @staticmethod
    def build(tower, **options):
        return CLIPEncoder(architecture=RESNET, image=dict(TOY_SWIN, **tower), **options).image.activation_checkpointing

    def test_a_tower_keeps_its_own(self):
        assert self.build(dict(activation_checkpointing=True))
        assert not self.build({})

    @pytest.mark.parametrize('own', [{}, dict(activation_checkpointing=False)])
    def test_the_encoders_reaches_the_tower(self, own):
        assert self.build(own, activation_checkpointing=True)

    def test_a_tower_without_it(self):

        class PlainTower(TimmTower):

            def __init__(self):
                options = {key: value for key, value in TOY_SWIN.items() if key != 'type'}
                super().__init__(joint_channels=24, **options)

        assert isinstance(CLIPEncoder(architecture=RESNET, image=dict(type=PlainTower)).image, PlainTower)
        with pytest.raises(TypeError, match="unexpected keyword argument 'activation_checkpointing'"):
            CLIPEncoder(architecture=RESNET, image=dict(type=PlainTower), activation_checkpointing=True)


def run_backward(tower, given):
    """Gradients and buffers of a tower in training, and how many numbers it kept for the backward pass."""
    for module in tower.train().modules():
        if hasattr(module, 'drop_prob'):
            module.drop_prob = 0.0
    sizes = []

    def note(saved):
        sizes.append(saved.numel())
        return saved

    torch.manual_seed(1)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda saved: saved):
        features = tower.encode(tower.embed(given))
    (features.stages[0].square().mean() + features.patches.square().mean()).backward()
    gradients = {name: value.grad for name, value in tower.named_parameters() if value.grad is not None}
    return gradients, dict(tower.named_buffers()), sum(sizes)


@pytest.mark.parametrize('build', [lambda **options: resnet(**options).image, swin], ids=['ResNet', 'Swin'])
def test_activation_checkpointing_keeps_less_and_gives_the_same(build):
    """Gradients, and the running statistics, which must not count a batch twice."""
    found, kept = [], []
    for activation_checkpointing in (False, True):
        gradients, buffers, size = run_backward(
            build(activation_checkpointing=activation_checkpointing), images(2, 64, 64))
        found.append((gradients, buffers))
        kept.append(size)
    assert found[0][0] and found[0][0].keys() == found[1][0].keys()
    for one, other in zip(*found):
        for name, value in one.items():
            assert torch.equal(value, other[name]), name
    assert kept[1] < kept[0] / 2, kept


@pytest.mark.parametrize('kind', ['ResNet', 'Swin'])
def test_both_branches_train_every_parameter(kind, refer_set):
    """CM-MaskSD's branches as they are, on an encoder that is no ViT."""
    torch.manual_seed(0)
    config = tiny_config().model
    config.auxiliary_losses = None
    if kind == 'ResNet':
        text = dict(RESNET['text_cfg'], vocab_size=49408)
        config.encoder = dict(type='CLIPEncoder', architecture=dict(RESNET, text_cfg=text))
        channels = (64, 128, 24)
    else:
        config.encoder.pop('taps')
        config.encoder.image = dict(TOY_SWIN)
        channels = (16, 32, 96)
    width = config.encoder.architecture['embed_dim']
    config.neck.update(in_channels=channels, sentence_channels=width)
    config.decoder.update(word_channels=config.encoder.architecture['text_cfg']['width'])
    config.head.update(sentence_channels=width)
    model = MODELS.build(config).train()
    loader = tiny_config().train_dataloader
    batch = model.data_preprocessor(batch_of(loader, refer_set, 'refs(unc).p'), True)
    losses = model(**batch, mode='loss')
    measured = {'target_share_lmvsd', 'chance_lmvsd'}
    assert set(losses) == {'loss_bce', 'loss_lmvsd', 'loss_vmlsd'} | measured
    model.parse_losses(losses)[0].backward()
    still = [name for name, value in model.named_parameters() if value.grad is None]
    assert not still, still
