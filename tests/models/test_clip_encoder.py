"""The contract of the CLIP encoder; that it computes what CLIP does is seen in tests/parity."""

from dataclasses import replace

import open_clip
import pytest
import torch

from mmris.models.encoders import CLIPEncoder
from mmris.structures import ExpressionBatch, ImageInputs

ARCHITECTURE = dict(
    embed_dim=24,
    vision_cfg=dict(image_size=64, patch_size=16, width=32, head_width=16, layers=3),
    text_cfg=dict(context_length=12, vocab_size=49408, width=40, heads=2, layers=2))


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return CLIPEncoder(architecture=ARCHITECTURE).eval()


def encode_image(encoder, pixels):
    height, width = pixels.shape[-2:]
    box = torch.tensor([[0.0, 0.0, width, height]]).repeat(len(pixels), 1)
    return encoder.encode_image(encoder.embed_image(ImageInputs(pixels, box)))


def expressions(lengths, total):
    token_mask = torch.arange(total) < torch.tensor(lengths)[:, None]
    ids = torch.randint(1, 49000, token_mask.shape, generator=torch.Generator().manual_seed(0))
    for row, length in enumerate(lengths):
        ids[row, length - 1] = 49407
    return ExpressionBatch(ids * token_mask, token_mask, torch.zeros(len(lengths), dtype=torch.int64))


def test_fewer_tokens_than_positions(encoder):
    """Padding changes no real token, so a shorter context gives the same."""
    long, short = expressions([5, 2], 12), expressions([5, 2], 12)
    short = ExpressionBatch(short.token_ids[:, :6], short.token_mask[:, :6], short.image_index)
    one, other = (encoder.encode_text(encoder.embed_text(batch)) for batch in (long, short))
    assert torch.allclose(one.sentence, other.sentence, atol=1e-5)
    assert torch.allclose(one.words[0, :5], other.words[0, :5], atol=1e-5)


class TestActivation:
    """QuickGELU or GELU is part of the weights."""

    @staticmethod
    def sentences(encoder):
        return encoder.encode_text(encoder.embed_text(expressions([12, 5], 12))).sentence

    @staticmethod
    def file_of_open_clip(tmp_path):
        torch.manual_seed(1)
        path = tmp_path / 'clip.pt'
        torch.save(dict(state_dict=open_clip.model.CustomTextCLIP(**ARCHITECTURE).state_dict()), path)
        return str(path)

    @pytest.mark.parametrize('quick_gelu', [False, True])
    def test_a_file_that_tells_is_followed(self, tmp_path, quick_gelu):
        """Ours tell; a model built from the same config without the file follows its checkpoint."""
        torch.manual_seed(1)
        trained = CLIPEncoder(architecture=ARCHITECTURE, quick_gelu=quick_gelu).eval()
        torch.save(trained.state_dict(), tmp_path / 'ours.pth')
        encoder = CLIPEncoder(architecture=ARCHITECTURE, pretrained=str(tmp_path / 'ours.pth')).eval()
        restored = CLIPEncoder(architecture=ARCHITECTURE, quick_gelu=not quick_gelu).eval()
        assert not torch.allclose(self.sentences(restored), self.sentences(trained))
        encoder.init_weights()
        restored.load_state_dict(trained.state_dict())
        for same in (encoder, restored):
            assert torch.equal(self.sentences(same), self.sentences(trained))
            assert bool(same.text.quick_gelu) == bool(same.image.quick_gelu) == quick_gelu
        other = CLIPEncoder(
            architecture=ARCHITECTURE, pretrained=str(tmp_path / 'ours.pth'), quick_gelu=not quick_gelu)
        with pytest.raises(ValueError, match='ours.pth was trained with .*GELU, but the encoder.s config says'):
            other.init_weights()

    def test_a_file_that_does_not_tell_needs_the_config(self, tmp_path):
        path = self.file_of_open_clip(tmp_path)
        with pytest.raises(ValueError, match=r'clip.pt does not tell .* Set quick_gelu=True or quick_gelu=False'):
            CLIPEncoder(architecture=ARCHITECTURE, pretrained=path).init_weights()
        for options in (dict(architecture=dict(ARCHITECTURE, quick_gelu=True)),
                        dict(architecture=ARCHITECTURE, quick_gelu=True)):
            encoder = CLIPEncoder(pretrained=path, **options)
            encoder.init_weights()
            assert encoder.text.quick_gelu

    def test_a_config_that_contradicts_itself(self):
        with pytest.raises(ValueError, match=r"quick_gelu=False contradicts the architecture 'ViT-B-16-quickgelu'"):
            CLIPEncoder(architecture='ViT-B-16-quickgelu', quick_gelu=False)


def test_weights_from_a_file(tmp_path):
    """A checkpoint as open_clip writes it, loaded by init_weights and by nothing else."""
    torch.manual_seed(1)
    clip = open_clip.model.CustomTextCLIP(**ARCHITECTURE)
    path = tmp_path / 'clip.pt'
    torch.save(dict(state_dict=clip.state_dict()), path)
    loaded = CLIPEncoder(architecture=ARCHITECTURE, pretrained=str(path), quick_gelu=False)
    assert not torch.equal(loaded.image.clip.conv1.weight, clip.visual.conv1.weight)
    loaded.init_weights()
    for mine, theirs in ((loaded.image, clip.visual), (loaded.text, clip.text)):
        found = mine.clip.state_dict()
        assert all(torch.equal(found[name], value) for name, value in theirs.state_dict().items())
    assert 'logit_scale' not in dict(loaded.named_parameters())

def test_activation_checkpointing_keeps_less_and_gives_the_same_gradients():
    found, kept = [], []
    for activation_checkpointing in (False, True):
        torch.manual_seed(0)
        encoder = CLIPEncoder(architecture=ARCHITECTURE, activation_checkpointing=activation_checkpointing)
        pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
        sizes = []
        def note(saved, sizes=sizes):
            sizes.append(saved.numel())
            return saved

        with torch.autograd.graph.saved_tensors_hooks(note, lambda saved: saved):
            batch = expressions([12, 5], 12)
            image, text = encode_image(encoder, pixels), encoder.encode_text(encoder.embed_text(batch))
        (image.patches.square().mean() + text.words_joint.square().mean()).backward()
        found.append({name: value.grad for name, value in encoder.named_parameters()})
        kept.append(sum(sizes))
    assert found[0].keys() == found[1].keys()
    for name, gradient in found[0].items():
        assert torch.equal(gradient, found[1][name]), name
    assert kept[1] < kept[0] / 2


class TestErrors:

    def test_taps_beside_another_image_tower(self):
        for taps, got in (((3, ), r'\(3,\)'), (3, '3')):
            with pytest.raises(ValueError, match=f'taps={got} are those of CLIP\'s image tower: set them in image'):
                CLIPEncoder(architecture=ARCHITECTURE, taps=taps, image=dict(type='TimmTower'))

    def test_unknown_architecture(self):
        with pytest.raises(ValueError, match=r"architecture 'ViT-Z' is no open_clip model.*ViT-B-16"):
            CLIPEncoder(architecture='ViT-Z')

    def test_towers_of_another_kind(self):
        architecture = dict(ARCHITECTURE, text_cfg=dict(ARCHITECTURE['text_cfg'], no_causal_mask=True))
        with pytest.raises(ValueError, match='text tower .* is not a plain causal transformer'):
            CLIPEncoder(architecture=architecture)
        architecture = dict(ARCHITECTURE, vision_cfg=dict(ARCHITECTURE['vision_cfg'], pool_type='avg'))
        with pytest.raises(ValueError, match='image tower .* is neither a plain ViT .* nor a ResNet'):
            CLIPEncoder(architecture=architecture)

    @pytest.mark.parametrize('taps', [(1, 2), (2, 1, 3), (0, 1, 3), (1, 2, 4)])
    def test_taps(self, taps):
        with pytest.raises(ValueError, match='taps must increase, begin at 1 or later, and end at the last of 3'):
            CLIPEncoder(architecture=ARCHITECTURE, taps=taps)

    @pytest.mark.parametrize('taps, got', [(3, '3'), ('123', "'123'"), (['1', '2', '3'], r"\['1', '2', '3'\]"),
                                           ((1, 3.0), r'\(1, 3.0\)')])
    def test_what_are_no_taps(self, taps, got):
        message = r'taps of CLIPVisionTransformer must be whole numbers in a list, such as \(2, 3, 4\), but got ' + got
        with pytest.raises(ValueError, match=message):
            CLIPEncoder(architecture=ARCHITECTURE, taps=taps)

    def test_input_size(self, encoder):
        with pytest.raises(ValueError, match='input is 60 x 64 pixels .* multiple of 16 x 16'):
            encode_image(encoder, torch.zeros(1, 3, 60, 64))

    def test_too_many_tokens(self, encoder):
        with pytest.raises(ValueError, match='Sentences have 13 tokens, but the text tower has 12 positions'):
            encoder.embed_text(expressions([3], 13))

    def test_another_vocabulary(self):
        text = dict(ARCHITECTURE['text_cfg'], vocab_size=1000)
        encoder = CLIPEncoder(architecture=dict(ARCHITECTURE, text_cfg=text))
        ids = torch.tensor([[998, 3, 999]])
        batch = ExpressionBatch(ids, ids > 0, torch.tensor([0]))
        assert encoder.embed_text(batch).words.shape == (1, 3, 40)
        message = ('the token id 1000, but the text tower has embeddings of 1000 tokens: its vocabulary is not that of '
                   'the tokenizer. .* set vocab_size in text_cfg of the architecture to the size of the tokenizer')
        with pytest.raises(ValueError, match=message):
            encoder.embed_text(replace(batch, token_ids=ids + 1))

    def test_pretrained(self):
        with pytest.raises(ValueError, match="pretrained='openai' is neither a file nor a folder nor an open_clip tag"):
            CLIPEncoder(architecture=ARCHITECTURE, pretrained='openai').init_weights()

    def test_pretrained_of_another_architecture(self, tmp_path):
        path = tmp_path / 'clip.pt'
        torch.save(open_clip.model.CustomTextCLIP(**dict(ARCHITECTURE, embed_dim=8)).state_dict(), path)
        with pytest.raises(RuntimeError, match='clip.pt'):
            CLIPEncoder(architecture=ARCHITECTURE, pretrained=str(path), quick_gelu=False).init_weights()


def test_border_patches_are_outside(encoder):
    pixels = torch.zeros(1, 3, 64, 64)
    box = torch.tensor([[0.0, 15.0, 64.0, 49.0]])
    inside = encoder.embed_image(ImageInputs(pixels, box)).inside[0]
    assert inside.all(), 'a patch that holds one row of the image is inside'
    box = torch.tensor([[0.0, 16.0, 64.0, 48.0]])
    inside = encoder.embed_image(ImageInputs(pixels, box)).inside[0]
    assert inside[1:3].all() and not inside[0].any() and not inside[3].any()
