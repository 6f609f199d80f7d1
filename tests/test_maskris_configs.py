"""MaskRIS's configs: settings of the paper, and what each row of its ablations varies."""

import pytest
import torch
from mmengine.config import Config

from mmris.models.masking import RandomBlockMask
from mmris.registry import MODELS
from mmris.structures import ImageInputs
from tests.conftest import ROOT, tiny_config
from tests.test_configs import CONFIGS, batch_of

BRANCH = Config.fromfile(ROOT / 'configs/_base_/models/maskris.py').maskris
ROWS = [path for path in CONFIGS if path.parts[-3:-1] == ('maskris', 'ablations')]


def load(name):
    return Config.fromfile(ROOT / f'configs/maskris/{name}.py')


def hidden_blocks(image, size):
    mask = RandomBlockMask(**{name: value for name, value in image.items() if name != 'type'})
    return int(mask(ImageInputs(torch.ones(1, 3, size, size), torch.zeros(1, 4))).blocks.sum())


@pytest.mark.parametrize('name, base, hidden', [
    ('lavt_refcoco', 'lavt/swin-b_refcoco', 169),
    ('cris_rn50_refcoco', 'cris/rn50_refcoco', 127),
    ('cm-masksd_vit-b_refcoco_instead', 'cm_masksd/vit-b_refcoco', 243),
])
def test_all_else_is_the_models_own(name, base, hidden):
    """The branch with the paper's settings, and the half weight of the main branch's loss, are all that differs."""
    config, plain = load(name), Config.fromfile(ROOT / f'configs/{base}.py')
    learned = config.inputs.tokenizer.type == 'CLIPTokenizer'
    assert config.model.distillation == dict(maskris=dict(BRANCH, learned_mask=learned))
    assert hidden_blocks(config.model.distillation.maskris.image, config.inputs.views.main.size) == hidden
    assert config.model.losses.bce.loss_weight == 0.5
    for one in (config, plain):
        one.model.pop('distillation', None)
        one.model.losses.bce.loss_weight = 1
        one.pop('maskris', None)
        one.pop('work_dir', None)
    assert config.to_dict() == plain.to_dict()


def test_beside_other_branches():
    """Both methods keep the proportions of their weights."""
    config, plain = load('cm-masksd_vit-b_refcoco'), Config.fromfile(ROOT / 'configs/cm_masksd/vit-b_refcoco.py')
    assert list(config.model.distillation) == ['lmvsd', 'vmlsd', 'maskris']
    for name in ('lmvsd', 'vmlsd'):
        assert config.model.distillation[name] == plain.model.distillation[name]
    assert config.model.losses.bce.loss_weight == config.model.distillation.maskris.loss.loss_weight == 1


def expected_row(stem):
    """Branch, masks without a branch, and weight of the main loss, as the row's name says."""
    row, *varied = stem.split('_')
    if row == 'baseline':
        return None, {}, 1
    if row.startswith('masked-'):
        masks = dict(image=BRANCH.image, words=BRANCH.words)
        kept = row.removeprefix('masked-')
        return None, masks if kept == 'both' else {kept: masks[kept]}, 1
    branch = Config(dict(BRANCH)).to_dict()
    if row in ('image', 'words'):
        branch['words' if row == 'image' else 'image'] = None
    weight = 0.5
    if varied:
        what, *values = varied[0].split('-')
        if what == 'lambda':
            weight = float(values[0])
            branch['loss']['loss_weight'] = 1 - weight
        elif what == 'split':
            branch['words'].update(mask_share=float(values[0]), random_share=float(values[1]))
        elif what == 'ratio':
            branch['words' if row == 'words' else 'image']['ratio'] = float(values[0])
        else:
            branch['image'][what] = values[0] if what == 'pattern' else int(values[0])
    return branch, {}, weight


@pytest.mark.parametrize('path', ROWS, ids=lambda path: path.stem)
def test_ablations_vary_what_their_names_say(path):
    config = Config.fromfile(path)
    branch, masking, weight = expected_row(path.stem)
    found = config.model.get('distillation', {})
    assert (found.to_dict() if found else {}) == ({} if branch is None else dict(maskris=branch))
    assert config.model.data_preprocessor.get('masking', {}) == masking
    assert config.model.losses.bce.get('loss_weight', 1) == weight
    assert config.inputs.views.main.size == 448
    if branch is not None and branch['image'] is not None:
        assert hidden_blocks(branch['image'], 448) > 0


def test_rows_of_the_paper():
    assert len(ROWS) == 23


def test_on_the_demo_in_three_lines(refer_set, tmp_path):
    """As README.md shows it: neither tokenizer nor joint space of the demo is in its way."""
    path = tmp_path / 'config.py'
    path.write_text(f"_base_ = ['{ROOT}/configs/cm_masksd/vit-tiny_shaperef.py', "
                    f"'{ROOT}/configs/_base_/models/maskris.py']\n"
                    'model = dict(\n'
                    '    losses=dict(bce=dict(loss_weight=0.5)),\n'
                    '    distillation=dict(_delete_=True, maskris=dict(\n'
                    '        _base_.maskris, image=dict(_base_.maskris.image, block=8), learned_mask=True)))\n')
    config = tiny_config(path)
    model = MODELS.build(config.model).train()
    losses = model(**model.data_preprocessor(batch_of(config.train_dataloader, refer_set, 'refs(unc).p'), True),
                   mode='loss')
    assert losses['masked_image_maskris'] == 0.75 and 'loss_lmvsd' not in losses
    model.parse_losses(losses)[0].backward()
    assert model.distillation.maskris.mask_token.grad.any()
