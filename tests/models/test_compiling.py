"""Models whose stages are compiled."""

import copy

import pytest
import torch
from mmengine.config import Config

from mmris.apis import Predictor
from mmris.apis.attention import AttentionPredictor
from mmris.datasets.pipelines import resolve_pipelines
from mmris.models.encoders.towers import recompute_counted
from mmris.models.segmentors import compile_stages
from mmris.registry import MODELS
from mmris.structures import ReferringInputs
from mmris.utils.input_sizes import read_input_sizes
from tests.conftest import ROOT
from tests.test_configs import batch_of, shrink, shrink_existence

METHODS = ('cm_masksd/vit-b_grefcoco', 'cm_masksd/swin-b_refcoco', 'cm_masksd/dinov2-b_refcoco',
           'cris/rn101_refcoco', 'shared_ris/beit3-b_refcoco', 'risclip/vit-b_refcoco_stage2',
           'detris/vit-b_refcoco', 'lavt/swin-b_refcoco', 'mail/vilt-b_refcoco', 'evf_sam/evf-sam2')
QUICK = ('cm_masksd/vit-b_grefcoco', )
# What the compiler does short of code for a processor, which takes minutes.
TRACED = dict(backend='aot_eager')


def build(name):
    torch.manual_seed(0)
    config = shrink(Config.fromfile(ROOT / f'configs/{name}.py'))
    shrink_existence(config)
    return config, MODELS.build(config.model)


def count_graphs():
    return torch._dynamo.utils.counters['stats']['unique_graphs']


def inputs_of(config, model, sentences):
    torch.manual_seed(1)
    sizes = read_input_sizes(config, instances=2 if model.encoder.takes_instances else 0)
    return ReferringInputs(sizes.image(model.encoder), sizes.expressions(sentences))


@pytest.fixture(autouse=True)
def forget():
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()


@pytest.mark.parametrize('name', [
    pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in METHODS])
def test_any_number_of_sentences(name):
    """One compilation, and one more for a number of 1: equal answers, without a break, for any number after that."""
    config, model = build(name)
    model.eval()
    asked = {number: inputs_of(config, model, number) for number in (3, 1, 2, 7, 4)}
    with torch.no_grad():
        plain = {number: model.encode_decode(inputs) for number, inputs in asked.items()}
        compile_stages(model, **TRACED)
        graphs = {}
        for number, inputs in asked.items():
            torch.testing.assert_close(model.encode_decode(inputs), plain[number], rtol=1e-4, atol=1e-4)
            graphs[number] = count_graphs()
    assert 0 < graphs[3] < graphs[1] == graphs[2] == graphs[7] == graphs[4]
    assert all('embedding' in name for name in run_plainly(model, asked[4]))
    assert not torch._dynamo.utils.counters['graph_break']


def run_plainly(model, inputs):
    """What runs outside of compiled code, by name: hooks see nothing else. Only words shall be embedded there."""
    called = set()
    hooks = [module.register_forward_pre_hook(lambda module, _, name=name: called.add(name))
             for name, module in model.named_modules() if not list(module.children()) and list(module.parameters())
             and 'forward' not in vars(module)]
    with torch.no_grad():
        model.encode_decode(inputs)
    for hook in hooks:
        hook.remove()
    return called


def train_step(model, batch):
    """Losses and gradients, the same draws each time."""
    torch.manual_seed(2)
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    model.zero_grad()
    model.parse_losses(losses)[0].backward()
    return {name: value.detach().clone() for name, value in losses.items()}, {
        name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}


@pytest.mark.slow
def test_training_with_both_branches(refer_set):
    config, model = build('cm_masksd/vit-b_refcoco')
    batch = batch_of(config.train_dataloader, refer_set, 'refs(unc).p')
    model.train()
    # No draws in the stages, so that both are alike: compiled dropout has its own.
    for module in model.modules():
        if hasattr(module, 'dropout') and isinstance(module.dropout, float):
            module.dropout = 0.0
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    compiled = copy.deepcopy(model)
    losses, gradients = train_step(model, batch)
    compile_stages(compiled, **TRACED)
    found, found_gradients = train_step(compiled, batch)
    torch.testing.assert_close(found, losses, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found_gradients, gradients, rtol=1e-3, atol=1e-5)
    before = count_graphs()
    train_step(compiled, batch)
    assert count_graphs() == before and list(compiled.state_dict()) == list(model.state_dict())


@pytest.mark.slow
def test_with_a_feature_cache(refer_set, tmp_path):
    """Features are kept and found beside compiled stages."""
    torch.manual_seed(0)
    config = shrink(Config.fromfile(ROOT / 'configs/evf_sam/vit-h_beit3-l_refcoco.py'))
    config.model.feature_cache = dict(folder=str(tmp_path))
    resolve_pipelines(config)
    model = MODELS.build(config.model).eval()
    batch = batch_of(config.val_dataloader, refer_set, 'refs(unc).p')
    inputs = model.data_preprocessor(batch)['inputs']
    with torch.no_grad():
        plain = model.encode_decode(inputs)
        model.feature_cache.take_counts()
        compile_stages(model, **TRACED)
        torch.testing.assert_close(model.encode_decode(inputs), plain, rtol=1e-4, atol=1e-4)
    assert model.feature_cache.take_counts() == (3, 0)


def test_a_copy_runs_with_its_own_weights():
    config, model = build(QUICK[0])
    compile_stages(model.eval(), **TRACED)
    copied = copy.deepcopy(model)
    with torch.no_grad():
        copied.encoder.image.clip.proj.zero_()
        inputs = inputs_of(config, model, 2)
        assert not copied.encode_images(inputs.images).image_global.any()
        assert model.encode_images(inputs.images).image_global.any()


@pytest.mark.slow
def test_predictor_with_compiled_code():
    """By the default compiler, which writes code for the processor."""
    model = 'cm-masksd-shaperef'
    plain, compiled = Predictor.from_pretrained(model), Predictor.from_pretrained(model, compile=True)
    image = ROOT / 'mmris' / 'zoo' / 'example.jpg'
    sentences = ['the large red object', 'the left circle', 'green thing']
    for predictor in (plain, compiled):
        predictor.set_image(image)
    for asked in (sentences, sentences[:1], sentences[1:]):
        wanted, found = plain.predict(asked), compiled.predict(asked)
        assert abs(found.probabilities - wanted.probabilities).max() < 1e-4


def test_attention_is_not_read_of_a_compiled_model():
    with pytest.raises(ValueError, match='AttentionPredictor reads the inputs of single modules.*leave out compile'):
        AttentionPredictor.from_pretrained('cm-masksd-shaperef', compile=True)


@pytest.mark.parametrize('norm', [torch.nn.Identity(), torch.nn.BatchNorm1d(4)])
def test_activations_are_computed_again_when_compiled(norm):
    """Gradients are the same, and a BatchNorm counts the batch once."""
    block = torch.nn.Sequential(torch.nn.Linear(4, 4), norm, torch.nn.Tanh())
    plain, pixels = copy.deepcopy(block), torch.randn(8, 4)
    plain(pixels).square().sum().backward()
    compiled = torch.compile(lambda given: recompute_counted(block, block.forward, given), **TRACED)
    compiled(pixels).square().sum().backward()
    for mine, its in zip(block.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(mine.grad, its.grad, atol=1e-5)
    for mine, its in zip(block.buffers(), plain.buffers(), strict=True):
        assert torch.allclose(mine, its)
