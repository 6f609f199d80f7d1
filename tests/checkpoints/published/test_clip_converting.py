"""The converter of CLIP weights, read back by those whose layout it writes."""

import json
from pathlib import Path

import open_clip
import pytest
import torch
from open_clip.model import build_model_from_openai_state_dict
from transformers import CLIPModel

from mmris.checkpoints import UnreadableCheckpointError, convert, read_checkpoint, read_published
from mmris.checkpoints.published import CLIP
from mmris.checkpoints.published.clip_hugging_face import make_config
from mmris.command_line.groups import find_tools
from mmris.models.encoders import CLIPEncoder
from tests.checkpoints.published.clip_files import (
    RESNET,
    TOKENS,
    VIT,
    Malicious,
    assert_same,
    expected_towers,
    open_clip_model,
    write_openai,
)
from tests.checkpoints.published.conversions import TOOL, converter
from tests.conftest import run_python

LAYOUTS = ('mmris', 'openai', 'open_clip', 'hugging_face')


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the tool in this process; what it prints."""
    return converter(monkeypatch, capsys, 'clip')


def state_of(path: Path) -> dict:
    checkpoint = read_checkpoint(path / 'model.safetensors' if path.is_dir() else path)
    return dict(checkpoint.get('state_dict', checkpoint))


class TestEveryLayout:

    @pytest.mark.parametrize('suffix', ['.safetensors', '.pth'])
    @pytest.mark.parametrize('between', LAYOUTS)
    def test_there_and_back(self, run, tmp_path, between, suffix):
        """OpenAI's archive through each layout to OpenAI's again, to the bit."""
        state = write_openai(tmp_path / 'ViT.pt')
        there = tmp_path / ('folder' if between == 'hugging_face' else f'there{suffix}')
        back = tmp_path / f'back{suffix}'
        activation = ['--quick-gelu'] if between == 'open_clip' else []
        run(tmp_path / 'ViT.pt', there, '--to', between)
        run(there, back, '--to', 'openai', *activation)
        assert_same(state_of(back), state)

    def test_resnets(self, run, tmp_path):
        state = write_openai(tmp_path / 'RN.pt', RESNET)
        run(tmp_path / 'RN.pt', tmp_path / 'ours.pth', '--to', 'mmris')
        run(tmp_path / 'ours.pth', tmp_path / 'back.pt', '--to', 'openai')
        assert_same(state_of(tmp_path / 'back.pt'), state)
        assert 'image.quick_gelu' not in state_of(tmp_path / 'ours.pth')
        with pytest.raises(ValueError, match='RN.pt holds a ResNet, but Hugging Face.s CLIP has ViTs alone'):
            run(tmp_path / 'RN.pt', tmp_path / 'folder', '--to', 'hugging_face')
        assert not (tmp_path / 'folder').exists()


class TestReadByOthers:

    @pytest.mark.parametrize('quick_gelu', [True, False])
    def test_transformers(self, run, tmp_path, quick_gelu):
        model = open_clip_model(quick_gelu=quick_gelu)
        torch.save(model.state_dict(), tmp_path / 'open_clip.pt')
        run(tmp_path / 'open_clip.pt', tmp_path / 'out', '--to', 'hugging_face',
                '--quick-gelu' if quick_gelu else '--gelu')
        theirs, report = CLIPModel.from_pretrained(tmp_path / 'out', output_loading_info=True)
        assert not any(report.values())
        pixels = torch.randn(2, 3, 16, 16)
        with torch.no_grad():
            assert torch.allclose(theirs.get_image_features(pixels), model.encode_image(pixels), atol=1e-5)
            assert torch.allclose(theirs.get_text_features(TOKENS), model.encode_text(TOKENS), atol=1e-5)
            assert theirs.logit_scale == model.logit_scale

    @pytest.mark.parametrize('name, image_heads, text_heads', [('ViT-B-16', 12, 8), ('ViT-L-14-336', 16, 12),
                                                               ('ViT-H-14', 16, 16)])
    def test_heads(self, tmp_path, name, image_heads, text_heads):
        """Shapes do not tell heads; ViT-H's have 80 channels."""
        with torch.device('meta'):
            model = open_clip.model.CLIP(**open_clip.get_model_config(name))
        tiny = {key: torch.zeros(()).expand(value.shape) for key, value in model.state_dict().items()}
        torch.save(tiny, tmp_path / 'weights.pt')
        config = make_config(read_published(CLIP, str(tmp_path / 'weights.pt')))
        assert config['vision_config']['num_attention_heads'] == image_heads
        assert config['text_config']['num_attention_heads'] == text_heads

    @pytest.mark.parametrize('architecture', [VIT, RESNET], ids=['ViT', 'ResNet'])
    def test_open_clip(self, run, tmp_path, architecture):
        state = write_openai(tmp_path / 'CLIP.pt', architecture)
        run(tmp_path / 'CLIP.pt', tmp_path / 'out.bin', '--to', 'open_clip')
        model = open_clip.model.CLIP(**architecture)
        model.load_state_dict(torch.load(tmp_path / 'out.bin', weights_only=True))
        built = build_model_from_openai_state_dict(state, cast_dtype=torch.float32).float()
        assert_same(model.state_dict(), built.state_dict())

    def test_the_encoder(self, run, tmp_path):
        """Our layout is the encoder's own, without what is kept for the way back."""
        write_openai(tmp_path / 'CLIP.pt')
        run(tmp_path / 'CLIP.pt', tmp_path / 'out.pth', '--to', 'mmris')
        state = state_of(tmp_path / 'out.pth')
        assert state.pop('excluded.logit_scale').dtype == torch.float32
        encoder = CLIPEncoder(architecture=VIT)
        encoder.load_state_dict(state)
        assert encoder.image.quick_gelu and encoder.text.quick_gelu


class TestTrainedModel:

    @pytest.fixture
    def checkpoint(self, tmp_path) -> Path:
        encoder = CLIPEncoder(architecture=VIT, quick_gelu=True)
        state = {f'encoder.{key}': value for key, value in encoder.state_dict().items()}
        state.update({'neck.a.weight': torch.rand(1), 'neck.b.weight': torch.rand(1), 'head.bias': torch.rand(1)})
        torch.save(dict(state_dict=state, meta=dict(epoch=1)), tmp_path / 'epoch_1.pth')
        return tmp_path / 'epoch_1.pth'

    def test_its_encoder(self, run, checkpoint, tmp_path):
        output = run(checkpoint, tmp_path / 'out', '--to', 'hugging_face')
        assert 'QuickGELU' in output
        assert 'Not converted: head.bias, neck.a, neck.b\n' in output
        assert 'no logit_scale in the input' in output
        assert json.loads((tmp_path / 'out' / 'config.json').read_text())['text_config']['hidden_act'] == 'quick_gelu'
        encoder = read_checkpoint(checkpoint)['state_dict']
        for key, value in read_published(CLIP, str(tmp_path / 'out')).part('image.clip.').items():
            assert torch.equal(value, encoder[f'encoder.image.clip.{key}'])

    def test_an_encoder_with_another_image_tower(self, checkpoint, tmp_path):
        content = read_checkpoint(checkpoint)
        state = {key: value for key, value in content['state_dict'].items() if not key.startswith('encoder.image')}
        torch.save(dict(state_dict=state), checkpoint)
        for layout in LAYOUTS:
            out = 'out' if layout == 'hugging_face' else 'out.pth'
            with pytest.raises(ValueError, match='epoch_1.pth holds no whole image tower'):
                convert(CLIP, str(checkpoint), str(tmp_path / out), layout)
        assert not (tmp_path / 'out').exists() and not (tmp_path / 'out.pth').exists()


class TestWrongCalls:

    @pytest.fixture
    def plain(self, tmp_path) -> Path:
        torch.save(open_clip_model().state_dict(), tmp_path / 'plain.pt')
        return tmp_path / 'plain.pt'

    @pytest.mark.parametrize('layout', ['mmris', 'openai', 'hugging_face'])
    def test_an_activation_that_nothing_tells(self, run, plain, tmp_path, layout):
        out = tmp_path / ('out' if layout == 'hugging_face' else 'out.pth')
        message = f'plain.pt does not tell .* layout {layout} needs: say it with --quick-gelu or --gelu'
        with pytest.raises(ValueError, match=message):
            run(plain, out, '--to', layout)
        assert not out.exists()

    def test_the_other_activation(self, run, tmp_path, plain):
        with pytest.raises(ValueError, match='plain.pt was trained with GELU, but code that reads OpenAI.s layout'):
            run(plain, tmp_path / 'out.pt', '--to', 'openai', '--gelu')
        write_openai(tmp_path / 'CLIP.pt')
        with pytest.raises(ValueError, match='CLIP.pt was trained with QuickGELU: leave the option out'):
            run(tmp_path / 'CLIP.pt', tmp_path / 'out.pth', '--to', 'mmris', '--gelu')

    @pytest.mark.parametrize('layout, name', [('mmris', 'out'), ('open_clip', 'out.npz'), ('hugging_face', 'out.pt')])
    def test_out(self, run, plain, tmp_path, layout, name):
        with pytest.raises(ValueError, match=f'Layout {layout} is written to .*, but out is .*{name}'):
            run(plain, tmp_path / name, '--to', layout, '--gelu')

    def test_as_users_run_it(self, plain, tmp_path):
        output = run_python(TOOL, 'clip', plain, tmp_path / 'out.safetensors', '--to', 'mmris', '--gelu')
        image, text = expected_towers(open_clip_model())
        sizes = f'{len(image)} of the image tower, {len(text)} of the text tower'
        assert f'out.safetensors: {len(image) + len(text) + 3} tensors of CLIP ({sizes}, GELU)' in output
        assert find_tools()['convert_weights'].samefile(TOOL)

    def test_no_input(self, run, tmp_path):
        with pytest.raises(FileNotFoundError, match='There is no file of weights .*none.pt'):
            run(tmp_path / 'none.pt', tmp_path / 'out.pth', '--to', 'mmris')

    def test_trust(self, run, tmp_path):
        marker = tmp_path / 'made'
        content = dict(state_dict=open_clip_model().state_dict(), more=Malicious(marker))
        torch.save(content, tmp_path / 'bad.pt')
        with pytest.raises(UnreadableCheckpointError, match='bad.pt.*--trust reads it all the same'):
            run(tmp_path / 'bad.pt', tmp_path / 'out.pt', '--to', 'open_clip')
        assert not marker.exists() and not (tmp_path / 'out.pt').exists()
        run(tmp_path / 'bad.pt', tmp_path / 'out.pt', '--to', 'open_clip', '--trust')
        assert_same(state_of(tmp_path / 'out.pt'), open_clip_model().state_dict())
