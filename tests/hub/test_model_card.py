"""What a model card says is what was measured, given, or is in the files."""

import json

import pytest
import yaml

from mmris.hub.model_card import read_scores
from tests.conftest import tiny_config
from tests.hub.published import publish_random

SCORES = dict(
    val=dict(oIoU=61.234, mIoU=58.5, expressions=10834, skill=dict(colour=dict(mIoU=70.0, expressions=5))),
    testA=dict(oIoU=None, mIoU=60.0, expressions=5657))


def matter_of(card: str) -> dict:
    return yaml.safe_load(card.split('---\n')[1])


def test_nothing_is_said_that_was_not_given(tmp_path):
    card = (publish_random(tmp_path / 'model') / 'README.md').read_text()
    assert matter_of(card) == dict(
        library_name='mmris', pipeline_tag='image-segmentation',
        tags=['mmris', 'referring-image-segmentation', 'referring-expression-segmentation', 'vision-language'])
    assert 'The publisher gave no scores.' in card
    assert 'licence' not in card and 'trained on' not in card and '%' not in card and '{' not in card


def test_all_that_was_given(tmp_path):
    config = tiny_config('cm_masksd/vit-small_shaperef.py')
    card = (publish_random(
        tmp_path / 'model', config, scores=SCORES, scored_on='RefCOCO (unc)', licence='apache-2.0',
        datasets=('refcoco', 'user/pairs')) / 'README.md').read_text()
    matter = matter_of(card)
    assert matter['license'] == 'apache-2.0' and matter['datasets'] == ['refcoco', 'user/pairs']
    index, = matter['model-index']
    assert index['name'] == 'model'
    first, second = index['results']
    assert first['task']['type'] == 'image-segmentation'
    assert first['dataset'] == dict(name='RefCOCO (unc)', type='refcoco-unc', split='val',
                                    args=dict(expressions=10834, protocol='mmris', threshold=0.5))
    assert {one['type']: one['value'] for one in first['metrics']} == dict(oIoU=61.23, mIoU=58.5)
    # An undefined score is no number.
    assert {one['type']: one['value'] for one in second['metrics']} == dict(mIoU=60.0)
    for part in ('on RefCOCO (unc), by the protocol `mmris`, in percent', 'above the probability 0.5. Every sentence',
                 'counts once: 10,834 on val, 5,657 on testA', '| val ', 'undefined', 'colour'):
        assert part in card


def test_an_existence_head_and_instance_masks(tmp_path):
    config = tiny_config('cm_masksd/vit-small_shaperef_generalised.py')
    config.test_evaluator.existence_threshold = 0.7
    scores = dict(val=dict(gIoU=50.0, cIoU=40.0, expressions=3))
    card = (publish_random(tmp_path / 'one', config, scores=scores, scored_on='x') / 'README.md').read_text()
    assert 'by the protocol `rela`' in card and 'rejected if its existence is below 0.7' in card
    assert {one['type'] for one in matter_of(card)['model-index'][0]['results'][0]['metrics']} == {'gIoU', 'cIoU'}
    card = (publish_random(tmp_path / 'two', tiny_config('mail/tiny_shaperef.py')) / 'README.md').read_text()
    assert 'instance masks, which a segmenter found' in card


def test_names_cannot_break_the_front_matter(tmp_path):
    name = 'a: {b}\n---\n# c'
    card = (publish_random(tmp_path / 'model', scores=SCORES, scored_on=name) / 'README.md').read_text()
    assert card.count('\n---\n') == 1
    assert matter_of(card)['model-index'][0]['results'][0]['dataset']['name'] == 'a: {b} --- # c'


@pytest.mark.parametrize('content, said', [
    ('not json', 'is not JSON'), ('[]', 'it has no splits'), ('{}', 'it has no splits'),
    ('{"val": 1}', 'val in it has no number of expressions'), ('{"val": {"mIoU": 1}}', 'val in it has no number of'),
])
def test_files_that_hold_no_scores(tmp_path, content, said):
    (tmp_path / 'scores.json').write_text(content)
    with pytest.raises(ValueError, match=f'scores.json .*{said}.*Give the file that `mmris test --out FILE` wrote'):
        read_scores(tmp_path / 'scores.json')


@pytest.mark.parametrize('value, shown', [
    ('NaN', 'nan'), ('1e400', 'inf'), ('-Infinity', '-inf'), ('true', 'True'), ('"58"', "'58'"), ('[58]', r'\[58\]'),
    ('{}', '{}'), ('1' + 400 * '0', '1000.*000'),
])
def test_scores_that_are_no_numbers(tmp_path, value, shown):
    path = tmp_path / 's.json'
    for text, place in ((f'{{"val": {{"mIoU": {value}, "expressions": 3}}}}', 'val'),
                        (f'{{"val": {{"expressions": 3, "skill": {{"colour": {{"mIoU": {value}}}}}}}}}',
                         'val/skill/colour')):
        path.write_text(text)
        said = f's.json: mIoU of {place} is {shown}, but must be a finite number or null. Give the file that'
        with pytest.raises(ValueError, match=said):
            read_scores(path)


@pytest.mark.parametrize('value', ['-1', '2.5', 'true', 'null', 'NaN', '"3"'])
def test_counts_that_are_none(tmp_path, value):
    (tmp_path / 's.json').write_text(f'{{"val": {{"mIoU": 1, "expressions": {value}}}}}')
    with pytest.raises(ValueError, match='s.json: expressions of val is .*, but must be a whole number of at least 0'):
        read_scores(tmp_path / 's.json')


@pytest.mark.parametrize('skill, said', [(5, 'skill of val is 5'), (dict(colour=5), 'colour of val/skill is 5')])
def test_skills_without_scores(tmp_path, skill, said):
    (tmp_path / 's.json').write_text(json.dumps(dict(val=dict(mIoU=1, expressions=3, skill=skill))))
    with pytest.raises(ValueError, match=f's.json: {said}, but must be a dict of scores'):
        read_scores(tmp_path / 's.json')


def test_scores_of_metrics_with_a_prefix(tmp_path):
    scores = dict(val=dict(t35=dict(mIoU=50.0, expressions=7), t50=dict(mIoU=40.0, expressions=7)))
    (tmp_path / 'scores.json').write_text(json.dumps(scores))
    assert read_scores(tmp_path / 'scores.json') == scores
    card = (publish_random(tmp_path / 'model', scores=scores, scored_on='x') / 'README.md').read_text()
    assert '| val/t35 ' in card and '7 on val' in card
    with pytest.raises(FileNotFoundError, match='There is no file of scores .*none.json. `mmris test --out'):
        read_scores(tmp_path / 'none.json')
