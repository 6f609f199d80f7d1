"""What filters select when their guide is exchanged, against counting sentence by sentence; the command."""

import json
import statistics

import pytest
import torch

from mmris.evaluation.filter_agreement import measure_filters
from mmris.models.distillation import target_patches
from mmris.registry import MODELS
from mmris.structures import ReferringDataSample
from tests.conftest import ROOT, run_command, tiny_config, write_set
from tests.models.test_distillation import make_inputs

CONFIG = 'configs/cm_masksd/vit-tiny_shaperef.py'


def make_batch(images: int, expressions: int) -> tuple:
    inputs = make_inputs(images, expressions)
    targets = torch.zeros(images, expressions, 64, 64)
    for image in range(images):
        for place in range(expressions):
            targets[image, place, 20 + 3 * image:30 + place, 5 * place:25 + 5 * place] = 1
    return inputs, [ReferringDataSample(gt_input=target) for target in targets]


def best_half(query: torch.Tensor, tokens: torch.Tensor, candidates: torch.Tensor) -> set:
    scores = {place: float(tokens[place] @ query) for place in candidates.nonzero().flatten().tolist()}
    count = max(1, int(len(scores) / 2 + 0.5)) if scores else 0
    return set(sorted(scores, key=scores.get, reverse=True)[:count])


def test_against_counting(tiny_model):
    """Each sentence with its own and the next of 3 images, by sets of places."""
    model, (images, expressions) = tiny_model.eval(), (3, 4)
    inputs, samples = make_batch(images, expressions)
    found = measure_filters(model, [(inputs, samples)])
    with torch.no_grad():
        encoded = model.extract_feat(inputs)
    inside = torch.zeros(8, 8, dtype=torch.bool)
    inside[2:6] = True
    counted: dict = {name: [] for name in ('words', 'words_kept', 'patches_kept', 'target', 'exchanged')}
    for row in range(images * expressions):
        image, words = row // expressions, encoded.text.token_mask[row].clone()
        words[[0, int(words.sum()) - 1]] = False
        following = (image + 1) % images
        own, other = (best_half(encoded.image.image_global[one], encoded.text.words_joint[row], words)
                      for one in (image, following))
        if words.any():
            counted['words'].append(len(own) / int(words.sum()))
            counted['words_kept'].append(len(own & other) / len(own))
        first = expressions * following
        own, other = (best_half(encoded.text.sentence[one], encoded.image.patches[following], inside.flatten())
                      for one in (first, row))
        patches = target_patches(samples[following].gt_input[:1, None], inside[None])
        target = set(patches.flatten().nonzero().flatten().tolist())
        counted['patches_kept'].append(len(own & other) / len(own))
        counted['target'].append(len(own & target) / len(target))
        counted['exchanged'].append(len(other & target) / len(target))
    means = {name: 100 * statistics.fmean(values) for name, values in counted.items()}
    assert found['vmlsd'] == pytest.approx(dict(selected=means['words'], kept=means['words_kept']))
    assert found['lmvsd'] == pytest.approx(
        dict(selected=50, kept=means['patches_kept'], target=means['target'], target_exchanged=means['exchanged']))
    assert 0 < means['words_kept'] < 100 and 0 < means['patches_kept'] < 100, 'the exchange changes something'


def test_batches_count_by_their_sentences(tiny_model):
    """Two batches at once are their mean, weighted by their sentences; one image alone is left out."""
    model = tiny_model.eval()
    batches = [make_batch(2, 4), make_batch(3, 2), make_batch(1, 3)]
    one, two = (measure_filters(model, [batch])['lmvsd']['kept'] for batch in batches[:2])
    assert measure_filters(model, batches)['lmvsd']['kept'] == pytest.approx((8 * one + 6 * two) / 14)
    with pytest.raises(ValueError, match='no batch has two images. Give a larger batch size.'):
        measure_filters(model, batches[2:])


def test_without_branches():
    model = MODELS.build(tiny_config('cm_masksd/vit-small_shaperef_baseline.py').model).eval()
    with pytest.raises(ValueError, match='no branch of CM-MaskSD, which would have a filter'):
        measure_filters(model, [make_batch(2, 1)])


def test_command(tmp_path, tiny_model, capsys):
    folder = write_set(tmp_path / 'set', sentences=2)
    tiny_model.init_weights()
    torch.save(dict(state_dict=tiny_model.state_dict()), tmp_path / 'weights.pth')
    data = ('--split', 'val', '--data-root', folder)
    run_command('filter_report', ROOT / CONFIG, tmp_path / 'weights.pth', *data, '--out', tmp_path / 'filters.json')
    found = json.loads((tmp_path / 'filters.json').read_text())
    assert list(found) == ['lmvsd', 'vmlsd'] and found['lmvsd']['selected'] == 50
    assert f'{found["lmvsd"]["kept"]:.1f}' in capsys.readouterr().out
    with pytest.raises(ValueError, match='begins from no pretrained towers .* Give a checkpoint of a training.'):
        run_command('filter_report', ROOT / CONFIG, *data)
