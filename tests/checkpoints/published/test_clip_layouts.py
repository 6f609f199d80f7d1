"""CLIP weights in the layouts of others, from files that others' own code made."""

import json

import pytest
import safetensors.torch
import torch
from transformers import CLIPConfig, CLIPModel

from mmris.checkpoints import UnreadableCheckpointError, read_published
from mmris.checkpoints.published import CLIP, KeyMapError, Layout, clip_tags
from mmris.checkpoints.published.clip import HUGGING_FACE, OPEN_CLIP, OPEN_CLIP_CUSTOM, OPENAI
from mmris.checkpoints.published.clip_architectures import IMAGE, TEXT
from tests.checkpoints.published.clip_files import (
    RESNET,
    TOKENS,
    VIT,
    assert_same,
    expected_towers,
    open_clip_model,
    randomise,
    write_openai,
    write_traced,
)

ARCHITECTURES = pytest.mark.parametrize('architecture', [VIT, RESNET], ids=['ViT', 'ResNet'])


def there_and_back(layout: Layout, state: dict) -> dict:
    return layout.key_map.to_theirs(layout.key_map.to_ours(state, 'there'), 'back')


def hugging_face_model(activation: str = 'quick_gelu') -> CLIPModel:
    tower = dict(
        hidden_size=64,
        intermediate_size=256,
        num_attention_heads=1,
        projection_dim=24,
        hidden_act=activation,
        attn_implementation='eager')
    model = CLIPModel(
        CLIPConfig(
            projection_dim=24,
            text_config=dict(
                tower, num_hidden_layers=2, max_position_embeddings=8, vocab_size=50, bos_token_id=48, eos_token_id=49),
            vision_config=dict(tower, num_hidden_layers=3, image_size=16, patch_size=4)))
    return randomise(model)


class TestOpenClip:

    @ARCHITECTURES
    @pytest.mark.parametrize('custom', [False, True], ids=['CLIP', 'CustomTextCLIP'])
    @pytest.mark.parametrize('name', ['weights.pt', 'weights.safetensors', 'weights.bin'])
    def test_reading(self, tmp_path, architecture, custom, name):
        model = open_clip_model(architecture, custom=custom)
        if name.endswith('safetensors'):
            safetensors.torch.save_file(model.state_dict(), tmp_path / name)
        else:
            torch.save(model.state_dict(), tmp_path / name, _use_new_zipfile_serialization=name.endswith('pt'))
        weights = read_published(CLIP, str(tmp_path / name))
        image, text = expected_towers(model)
        assert_same(weights.part(IMAGE), image)
        assert_same(weights.part(TEXT), text)
        assert_same(weights.excluded, dict(logit_scale=model.state_dict()['logit_scale']))
        assert weights.quick_gelu is None and weights.source == str(tmp_path / name) and weights.others == ()

    @pytest.mark.parametrize('wrap', [
        lambda state: dict(state_dict=state, epoch=3, optimizer=dict(lr=0.1)),
        lambda state: dict(model=state),
        lambda state: {f'module.{key}': value for key, value in state.items()},
        lambda state: dict(state_dict={f'module.{key}': value
                                       for key, value in state.items()}, name='ViT'),
    ])
    def test_wrapped(self, tmp_path, wrap):
        model = open_clip_model()
        torch.save(wrap(model.state_dict()), tmp_path / 'epoch_32.pt')
        assert_same(read_published(CLIP, str(tmp_path / 'epoch_32.pt')).part(IMAGE), expected_towers(model)[0])

    def test_traced(self, tmp_path):
        """TorchScript knows no buffers that are not saved: the causal mask is in the archive."""
        model = open_clip_model()
        assert 'attn_mask' in write_traced(model, tmp_path / 'traced.pt')
        weights = read_published(CLIP, str(tmp_path / 'traced.pt'))
        assert_same(weights.part(TEXT), expected_towers(model)[1])
        assert weights.quick_gelu is None

    @pytest.mark.parametrize('said, quick_gelu', [({}, False), (dict(quick_gelu=True), True)])
    def test_activation_beside_the_file(self, tmp_path, said, quick_gelu):
        torch.save(open_clip_model().state_dict(), tmp_path / 'open_clip_pytorch_model.bin')
        (tmp_path / 'open_clip_config.json').write_text(json.dumps(dict(model_cfg=dict(VIT, **said))))
        # The folder also describes the same model for transformers.
        (tmp_path / 'config.json').write_text(json.dumps(dict(model_type='clip')))
        assert read_published(CLIP, str(tmp_path)).quick_gelu is quick_gelu

    @pytest.mark.parametrize('custom', [False, True], ids=['CLIP', 'CustomTextCLIP'])
    def test_there_and_back(self, custom):
        state = {**open_clip_model(custom=custom).state_dict(), 'logit_bias': torch.tensor(-10.0)}
        layout = OPEN_CLIP_CUSTOM if custom else OPEN_CLIP
        assert CLIP.find_layout(state) is layout
        assert_same(there_and_back(layout, state), state)


class TestOpenAI:

    @ARCHITECTURES
    def test_archive(self, tmp_path, architecture):
        state = write_openai(tmp_path / 'CLIP.pt', architecture)
        assert {value.dtype for value in state.values()} == {torch.float16, torch.float32, torch.int64}
        weights = read_published(CLIP, str(tmp_path / 'CLIP.pt'))
        assert weights.quick_gelu is True
        image = {k.removeprefix('visual.'): v for k, v in state.items() if k.startswith('visual.')}
        assert_same(weights.part(IMAGE), image)
        text = {k: v for k, v in state.items() if not k.startswith(('visual.', 'logit', 'input_', 'context', 'vocab'))}
        assert_same(weights.part(TEXT), text)

    @ARCHITECTURES
    def test_there_and_back(self, tmp_path, architecture):
        state = write_openai(tmp_path / 'CLIP.pt', architecture)
        assert CLIP.find_layout(state) is OPENAI
        assert_same(there_and_back(OPENAI, state), state)

    @pytest.mark.parametrize('name', ['input_resolution', 'context_length', 'vocab_size'])
    def test_numbers_that_contradict_the_weights(self, tmp_path, name):
        state = {**open_clip_model().state_dict(), name: torch.tensor(7)}
        torch.save(state, tmp_path / 'CLIP.pt')
        with pytest.raises(KeyMapError, match=f'CLIP.pt: {name} is 7, but the other weights say'):
            read_published(CLIP, str(tmp_path / 'CLIP.pt'))


class TestHuggingFace:

    @pytest.mark.parametrize('activation', ['quick_gelu', 'gelu'])
    @pytest.mark.parametrize('safe', [True, False])
    def test_computes_the_same(self, tmp_path, activation, safe):
        """open_clip's model, with the weights that were read, against transformers' own."""
        model = hugging_face_model(activation)
        model.save_pretrained(tmp_path, safe_serialization=safe)
        weights = read_published(CLIP, str(tmp_path))
        assert weights.quick_gelu is (activation == 'quick_gelu')
        mine = open_clip_model(custom=True, quick_gelu=weights.quick_gelu)
        mine.visual.load_state_dict(weights.part(IMAGE))
        mine.text.load_state_dict(weights.part(TEXT))
        pixels = torch.randn(2, 3, 16, 16)
        with torch.no_grad():
            assert torch.allclose(mine.encode_image(pixels), model.get_image_features(pixels), atol=1e-5)
            assert torch.allclose(mine.encode_text(TOKENS), model.get_text_features(TOKENS), atol=1e-5)

    def test_there_and_back(self):
        state = hugging_face_model().state_dict()
        assert CLIP.find_layout(state) is HUGGING_FACE
        assert_same(there_and_back(HUGGING_FACE, state), state)

    def test_positions_that_older_versions_saved(self):
        state = hugging_face_model().state_dict()
        old = {
            'text_model.embeddings.position_ids': torch.arange(8)[None],
            'vision_model.embeddings.position_ids': torch.arange(17)[None]
        }
        assert_same(HUGGING_FACE.key_map.to_ours({**state, **old}, 'old'), HUGGING_FACE.key_map.to_ours(state, 'new'))

    def test_one_tower_alone(self, tmp_path):
        model = hugging_face_model('gelu')
        model.text_model.config.hidden_act = 'gelu'
        state = {key: value for key, value in model.state_dict().items() if key.startswith('text_')}
        safetensors.torch.save_file(state, tmp_path / 'model.safetensors')
        model.text_model.config.save_pretrained(tmp_path)
        weights = read_published(CLIP, str(tmp_path))
        assert weights.part(IMAGE) == {} and weights.quick_gelu is False
        assert weights.part(TEXT)['token_embedding.weight'].shape == (50, 64)

    @pytest.mark.parametrize('config, message', [
        (dict(vision_config=dict(hidden_act='gelu'), text_config={}), 'the same in both towers, but is'),
        (dict(vision_config=dict(hidden_act='gelu_new'), text_config=dict(hidden_act='gelu_new')), 'is gelu_new'),
        ([], 'does not tell its activation'),
    ])
    def test_activations_that_are_not_known(self, tmp_path, config, message):
        safetensors.torch.save_file(hugging_face_model().state_dict(), tmp_path / 'model.safetensors')
        (tmp_path / 'config.json').write_text(json.dumps(config))
        with pytest.raises(UnreadableCheckpointError, match=f'model.safetensors cannot.*config.json beside.*{message}'):
            read_published(CLIP, str(tmp_path))

    def test_a_config_of_something_else_tells_nothing(self, tmp_path):
        safetensors.torch.save_file(hugging_face_model('gelu').state_dict(), tmp_path / 'model.safetensors')
        (tmp_path / 'config.json').write_text(json.dumps(dict(name='whatever')))
        assert read_published(CLIP, str(tmp_path)).quick_gelu is None

    def test_without_a_config(self, tmp_path):
        safetensors.torch.save_file(hugging_face_model().state_dict(), tmp_path / 'any.name')
        assert read_published(CLIP, str(tmp_path / 'any.name')).quick_gelu is None


class TestOurs:

    @staticmethod
    def state(quick_gelu: bool = True, **changes) -> dict:
        image, text = expected_towers(open_clip_model())
        flag = torch.tensor(quick_gelu)
        return {
            **{f'image.clip.{key}': value
               for key, value in image.items()},
            **{f'text.clip.{key}': value
               for key, value in text.items()}, 'excluded.logit_scale': torch.tensor(1.5),
            'image.quick_gelu': flag,
            'text.quick_gelu': flag.clone(),
            **changes
        }

    @pytest.mark.parametrize('quick_gelu', [True, False])
    def test_converted(self, tmp_path, quick_gelu):
        safetensors.torch.save_file(self.state(quick_gelu), tmp_path / 'clip.safetensors')
        weights = read_published(CLIP, str(tmp_path / 'clip.safetensors'))
        assert_same(weights.part(IMAGE), expected_towers(open_clip_model())[0])
        assert_same(weights.excluded, dict(logit_scale=torch.tensor(1.5)))
        assert weights.quick_gelu is quick_gelu

    def test_of_a_trained_model(self, tmp_path):
        others = ('encoder.image.shortcut.0.weight', 'neck.fuse_middle.0.weight', 'distillation.lmvsd.mask_token')
        state = {f'encoder.{key}': value for key, value in self.state().items() if not key.startswith('excluded')}
        state.update({key: torch.rand(1) for key in others})
        torch.save(dict(state_dict=state, meta=dict(epoch=3)), tmp_path / 'epoch_3.pth')
        weights = read_published(CLIP, str(tmp_path / 'epoch_3.pth'))
        assert_same(weights.part(TEXT), expected_towers(open_clip_model())[1])
        assert weights.others == others and weights.excluded == {} and weights.quick_gelu is True

    def test_activations_that_differ(self, tmp_path):
        torch.save(self.state(**{'text.quick_gelu': torch.tensor(False)}), tmp_path / 'clip.pth')
        with pytest.raises(UnreadableCheckpointError, match='image and text tower have different activations'):
            read_published(CLIP, str(tmp_path / 'clip.pth'))

    def test_left_over(self, tmp_path):
        torch.save(self.state(**{'image.more': torch.rand(1)}), tmp_path / 'clip.pth')
        with pytest.raises(KeyMapError, match='clip.pth: .* no rule of CLIP knows: image.more'):
            read_published(CLIP, str(tmp_path / 'clip.pth'))
        assert CLIP.find_layout(self.state()) is None and CLIP.matches_ours(self.state())


class TestWhatIsNoCLIP:

    @pytest.mark.parametrize('state, message', [
        ({'layer1.0.conv.weight': torch.rand(1)}, 'holds no CLIP weights by the keys of .*, but layer1.0.conv.weight'),
        ({}, 'holds no CLIP weights by the keys of .*, but nothing'),
        ({'visual.proj': [1, 2]}, 'holds values that are not tensors: visual.proj'),
    ])
    def test_other_weights(self, tmp_path, state, message):
        torch.save(state, tmp_path / 'weights.pt')
        with pytest.raises(UnreadableCheckpointError, match=f'weights.pt cannot be read as a checkpoint: it {message}'):
            read_published(CLIP, str(tmp_path / 'weights.pt'))

    def test_a_key_that_the_layout_has_not(self, tmp_path):
        torch.save({**open_clip_model().state_dict(), 'text_decoder.weight': torch.rand(1)}, tmp_path / 'coca.pt')
        with pytest.raises(KeyMapError, match="coca.pt: from open_clip's layout .* no rule knows: text_decoder.weight"):
            read_published(CLIP, str(tmp_path / 'coca.pt'))

    def test_a_folder_without_weights(self, tmp_path):
        (tmp_path / 'model-00001-of-00002.safetensors').touch()
        with pytest.raises(ValueError, match='without weights: none of open_clip_model.safetensors, '):
            read_published(CLIP, str(tmp_path))


class TestTags:

    @pytest.mark.parametrize('tag, quick_gelu', [('openai', True), ('laion2b-s34b-b88k', False)])
    def test_the_tag_tells_the_activation(self, tmp_path, monkeypatch, tag, quick_gelu):
        asked = []
        torch.save(open_clip_model().state_dict(), tmp_path / 'model.bin')
        path = str(tmp_path / 'model.bin')
        monkeypatch.setattr(clip_tags, 'download_pretrained', lambda one: asked.append(one) or path)
        weights = read_published(CLIP, tag, architecture='ViT-B-16')
        assert weights.quick_gelu is quick_gelu and weights.source == str(tmp_path / 'model.bin')
        assert asked[0]['hf_hub'].startswith('timm/' if quick_gelu else 'laion/')

    def test_a_file_that_tells_its_activation(self, tmp_path, monkeypatch):
        write_openai(tmp_path / 'model.pt')
        monkeypatch.setattr(clip_tags, 'download_pretrained', lambda tag: str(tmp_path / 'model.pt'))
        assert read_published(CLIP, 'laion2b_s34b_b88k', architecture='ViT-B-16').quick_gelu is True

    @pytest.mark.parametrize('architecture, message', [
        ('ViT-B-32', 'neither a file nor a folder nor an open_clip tag: tags of ViT-B-32 are openai, laion400m_e31, '),
        ('RN50', 'tags of RN50 are openai, yfcc15m, cc12m.$'),
        (dict(VIT, text_cfg=VIT['text_cfg']), 'this architecture has no tags'),
        (None, 'this architecture has no tags'),
    ])
    def test_wrong(self, architecture, message):
        with pytest.raises(ValueError, match=f"pretrained='opnai' is .*{message}"):
            read_published(CLIP, 'opnai', architecture=architecture)

    def test_without_a_network(self, monkeypatch):

        def fail(tag):
            raise FileNotFoundError('Failed to download')

        monkeypatch.setattr(clip_tags, 'download_pretrained', fail)
        message = r"could not download pretrained='openai' \(Failed to download\). Without .* https://openaipublic.*RN50.pt"
        with pytest.raises(ConnectionError, match=message):
            read_published(CLIP, 'openai', architecture='RN50')
