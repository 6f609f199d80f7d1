"""What branches mask, as it is shown, is what they mask in training."""

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from mmris.apis import Predictor
from mmris.apis.masking import MaskingPredictor, cells_of_pixels
from mmris.registry import MODELS
from tests.conftest import tiny_config

# Wide, so that the letterbox has a border, of whole and of halved patches.
PIXELS = np.random.default_rng(0).integers(0, 255, (37, 72, 3), dtype=np.uint8)
SENTENCE = 'the red circle on the left'
MASKRIS = dict(type='MaskRISDistillation', image=dict(type='RandomBlockMask', block=8), learned_mask=True,
               loss=dict(type='BinaryCrossEntropyLoss', loss_weight=1.0))


def config_of(**branches):
    config = tiny_config()
    config.model.distillation.update(branches)
    return config


def save(config, path, without: str = 'nothing'):
    # Fixtures of a module come before that of the scope.
    init_default_scope('mmris')
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    state = {name: value for name, value in model.state_dict().items() if not name.startswith(without)}
    torch.save(dict(state_dict=state), path)
    return path


@pytest.fixture(scope='module')
def predictor(tmp_path_factory) -> MaskingPredictor:
    config = config_of(maskris=MASKRIS)
    path = save(config, tmp_path_factory.mktemp('masking') / 'model.pth')
    predictor = MaskingPredictor(config, path, device='cpu')
    predictor.set_image(PIXELS)
    return predictor


def test_all_branches_and_the_whole(predictor):
    masking = predictor.mask(SENTENCE)
    assert [branch.name for branch in masking.branches] == ['lmvsd', 'vmlsd', 'maskris']
    visual, language, both = masking.branches
    assert (visual.words, language.patches) == (None, None) and both.patches is not None and both.words is not None
    whole = predictor.predict(SENTENCE).probabilities
    np.testing.assert_allclose(masking.prediction.probabilities, whole, atol=1e-6)
    for branch in masking.branches:
        assert branch.prediction.probabilities.shape == (1, 37, 72)
        assert np.abs(branch.prediction.probabilities - whole).max() > 1e-6 or branch is language


def test_patches(predictor):
    """Half of the candidates are selected, a quarter of these is masked; each in whole patches."""
    patches = predictor.mask(SENTENCE).branches[0].patches
    cells = cells_of_pixels((8, 8), predictor.set_image(PIXELS), None)
    count = {}
    for name in ('candidates', 'selected', 'masked'):
        pixels = getattr(patches, name)
        count[name] = len(np.unique(cells[pixels]))
        assert all(len(np.unique(pixels[cells == cell])) == 1 for cell in np.unique(cells))
    assert patches.candidates.all()
    assert count['selected'] == np.floor(0.5 * count['candidates'] + 0.5)
    assert count['masked'] == np.floor(0.25 * count['selected'] + 0.5)
    assert not (patches.masked & ~patches.selected).any()
    assert patches.ratings[patches.selected].min() >= patches.ratings[~patches.selected].max()


def test_words(predictor):
    words = predictor.mask(SENTENCE).branches[1].words
    assert ' '.join(word.text for word in words) == SENTENCE
    chosen = [word.rating for word in words if word.selected]
    assert len(chosen) == 3 and min(chosen) >= max(word.rating for word in words if not word.selected)
    masked = [sum(word.masked for word in predictor.mask(SENTENCE, seed=seed).branches[1].words) for seed in range(40)]
    assert 0 < sum(masked) < 30


def test_draws_are_the_seed_s(predictor):
    state = torch.get_rng_state()
    first, again, other = (predictor.mask(SENTENCE, seed=seed).branches[0].patches.masked for seed in (3, 3, 4))
    assert (first == again).all() and (first != other).any()
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize('name', ['lmvsd', 'vmlsd', 'maskris'])
def test_view_is_what_training_compares(predictor, name):
    """The loss of a branch is that of its view's logits."""
    model, kept = predictor.model, []
    branch = model.distillation[name]
    original = branch.view
    branch.view = lambda main, *rest: kept.append((main, original(main, *rest))) or kept[0][1]
    try:
        predictor.mask(SENTENCE, seed=0)
    finally:
        del branch.view
    main, view = kept[0]
    with torch.inference_mode(), torch.random.fork_rng():
        torch.manual_seed(0)
        for one in model.distillation:
            output = model.distillation[one](main, model.encoder, model.stages)
            if one == name:
                break
        assert torch.equal(output.loss, branch.loss(view.logits, main.logits.sigmoid()))


def test_cells_of_pixels(predictor):
    image = predictor.set_image(PIXELS)
    height, width = image.input_size
    cells = cells_of_pixels((4, 8), image, (0, 8, width, height))
    for y, x in ((0, 0), (3, 70), (20, 35), (36, 71)):
        input_x, input_y = image.affine @ [x + 0.5, y + 0.5, 1]
        row, column = int((input_y - 8) // ((height - 8) / 4)), int(input_x // (width / 8))
        assert cells[y, x] == (row * 8 + column if input_y >= 8 else -1)


def test_without_branches(tmp_path):
    config = config_of()
    config.model.distillation = None
    with pytest.raises(ValueError, match='no branch that masks: its config sets no model.distillation. Choose'):
        MaskingPredictor(config, save(config, tmp_path / 'model.pth'), device='cpu')


def test_without_their_weights(tmp_path):
    config = config_of()
    path = save(config, tmp_path / 'model.pth', without='distillation')
    Predictor(config, path, device='cpu')
    with pytest.raises(ValueError, match="has no weights of the branch 'lmvsd': published models leave them out"):
        MaskingPredictor(config, path, device='cpu')
