"""What sentences of ShapeRef mean: an evaluator of its own, from the words and the written attributes alone."""

import re

import numpy as np

SHAPES = 'circle square triangle star cross'.split()
COLOURS = 'red green blue yellow purple orange'.split()
SIZES = {'small': 'small', 'little': 'small', 'big': 'big', 'large': 'big'}
NOUNS = 'one thing object'.split()
PLURALS = {**{'crosses' if shape == 'cross' else f'{shape}s': shape for shape in SHAPES},
           'ones': 'one', 'things': 'thing', 'objects': 'object', 'shapes': 'object'}
NUMBERS = {'two': 2, 'three': 3, 'four': 4, 'five': 5}
SIDES = {'left': 'left', 'right': 'right', 'leftmost': 'left', 'rightmost': 'right', 'top': 'top',
         'upper': 'top', 'bottom': 'bottom', 'lower': 'bottom'}
RELATIONS = {'to the left of': 'left', 'left of': 'left', 'to the right of': 'right',
             'right of': 'right', 'above': 'top', 'below': 'bottom', 'under': 'bottom',
             'next to': 'near', 'near': 'near', 'closest to': 'closest', 'nearest to': 'closest'}


def parse_noun_phrase(text):
    """Return the tests a phrase such as "small red star" stands for, and its skills."""
    wanted, skills = [], set()
    text, _, excluded = re.sub(r'( that is| that are)? not ', ' @ ', text).partition(' @ ')
    if excluded:
        assert excluded in COLOURS
        wanted.append(lambda item: item['colour'] != excluded)
        skills.add('colour')
    words = [PLURALS.get(word, word) for word in re.sub(' that (is|are) ', ' ', text).split() if word != 'the']
    for word in words:
        name = ('shape' if word in SHAPES else 'colour' if word in COLOURS else
                'size' if word in SIZES else None)
        assert name or word in NOUNS, f'{word!r} in {text!r}'
        if name:
            wanted.append(lambda item, name=name, word=word: item[name] == SIZES.get(word, word))
            skills.add(name)
    assert words, 'a phrase without a noun'
    return (lambda item: all(test(item) for test in wanted)), skills


def offset(item, side, image):
    x, y = item['centre'][0] / image['width'], item['centre'][1] / image['height']
    return {'left': x, 'right': 1 - x, 'top': y, 'bottom': 1 - y}[side]


def distance(item, other, image):
    gap = np.subtract(item['centre'], other['centre'])
    return np.hypot(*gap) / max(image['width'], image['height'])


def evaluate_relation(match, items, image):
    is_target, skills = parse_noun_phrase(match['target'])
    is_landmark, landmark_skills = parse_noun_phrase(match['landmark'])
    landmarks = [item for item in items if is_landmark(item)]
    assert len(landmarks) <= 1, 'the landmark is not unique'
    if not landmarks:
        return [], skills | landmark_skills | {'relation'}
    landmark, = landmarks
    candidates = [item for item in items if is_target(item) and item is not landmark]
    kind = RELATIONS[match['relation']]
    if kind == 'closest':
        fitting = sorted(candidates, key=lambda item: distance(item, landmark, image))[:1]
    elif kind == 'near':
        fitting = [item for item in candidates if distance(item, landmark, image) < 0.4]
    else:
        fitting = [item for item in candidates
                   if offset(landmark, kind, image) - offset(item, kind, image) > 0.05]
    return fitting, skills | landmark_skills | {'relation'}


def evaluate_region(target, sides, items, image):
    is_target, skills = parse_noun_phrase(target)
    fitting = [item for item in items
               if is_target(item) and all(offset(item, side, image) < 0.5 for side in sides)]
    return fitting, skills | {'place'}


def evaluate_middle(target, items, image):
    is_target, skills = parse_noun_phrase(target)
    fitting = [item for item in items if is_target(item) and all(
        0.33 < offset(item, side, image) < 0.67 for side in ('left', 'top'))]
    return fitting, skills | {'place'}


def evaluate_rank(target, side, rank, items, image):
    is_target, skills = parse_noun_phrase(target)
    ranked = sorted((item for item in items if is_target(item)),
                    key=lambda item: offset(item, side, image))
    places = [offset(item, side, image) for item in ranked]
    assert all(after - before > 0.09 for before, after in zip(
        places[:rank + 1], places[1:rank + 2])), 'too close to tell the order'
    return ranked[rank:rank + 1], skills | {'place'}


AMOUNT = re.compile('(?:(?P<all>all the|the|all|both) )?(?:(?P<number>two|three|four|five) )?')


def names_several(sentence):
    """Tell whether the noun is a plural: landmarks never are."""
    return not PLURALS.keys().isdisjoint(sentence.split())


def allowed_counts(sentence):
    """Return how many objects the words speak of, if any fits."""
    if not names_several(sentence):
        return [1]
    amount = AMOUNT.match(sentence)
    if amount['number']:
        return [NUMBERS[amount['number']]]
    return [2] if amount['all'] == 'both' else range(2, 6)


def evaluate(sentence, items, image):
    """Return the objects that a sentence fits and the skills its words use."""
    assert re.fullmatch(r'[a-z]+( [a-z]+)*', sentence)
    text = re.sub(r' (of|in) the (picture|image)$', '', sentence)
    if names_several(text):
        text = text[AMOUNT.match(text).end():]
    relation = re.fullmatch(
        r'(?P<target>.+?)( that is| which is| that are)? (?P<relation>' + '|'.join(RELATIONS) +
        r')( the)? (?P<landmark>.+)', text)
    if relation:
        return evaluate_relation(relation, items, image)
    second = re.fullmatch(r'second (.+) from( the)? (left|right)', text)
    if second:
        return evaluate_rank(second[1], second[3], 1, items, image)
    vertical, horizontal = '(top|bottom|upper|lower)', '(left|right)'
    corner = (re.fullmatch(f'(?P<v>{vertical}) (?P<h>{horizontal}) (?P<t>.+)', text)
              or re.fullmatch(f'(?P<t>.+?)( that is| that are)?( in the)? (?P<v>{vertical}) '
                              f'(?P<h>{horizontal})( corner)?', text))
    if corner:
        return evaluate_region(corner['t'], (SIDES[corner['v']], corner['h']), items, image)
    middle = (re.fullmatch('(?:middle|center) (?P<t>.+)', text)
              or re.fullmatch('(?P<t>.+?)( that is)? in the (middle|center)', text))
    if middle:
        return evaluate_middle(middle['t'], items, image)
    half = re.fullmatch(r'(.+?)(?: that is| that are)? (?:on|at)(?: the)? (left|right|top|bottom)(?: side)?',
                        text)
    if half:
        return evaluate_region(half[1], (half[2], ), items, image)
    most = re.fullmatch(f"(?:far )?({'|'.join(SIDES)}) (.+)", text)
    if most:
        return evaluate_rank(most[2], SIDES[most[1]], 0, items, image)
    is_target, skills = parse_noun_phrase(text)
    return [item for item in items if is_target(item)], skills


def group_items(instances):
    """Return the objects of each image by its id: their attributes, and ``ann_id``."""
    by_image = {}
    for annotation in instances['annotations']:
        item = dict(annotation['attributes'], ann_id=annotation['id'])
        by_image.setdefault(annotation['image_id'], []).append(item)
    return by_image


# --- Sentences that do not fit exactly one object. ---

CLASSES = [SHAPES, COLOURS, list(SIZES), ['left', 'right'], ['top', 'bottom'], ['upper', 'lower'],
           ['above', 'below', 'under']]


def find_named(sentence):
    """Return shapes, colours and sizes that a sentence wants: (name of the attribute, value)."""
    words = [PLURALS.get(word, word) for word in re.sub(' not [a-z]+', '', sentence).split()]
    return [(name, values[word] if name == 'size' else word) for word in words
            for name, values in (('shape', SHAPES), ('colour', COLOURS), ('size', SIZES)) if word in values]


def exchange_one_word(sentence):
    """Yield the sentence with one other attribute word."""
    words = sentence.split()
    for place, word in enumerate(words):
        # A colour that is excluded is none that the object has.
        is_excluded = place > 0 and words[place - 1] == 'not'
        for other in () if is_excluded else {one for of in CLASSES if word in of for one in of} - {word}:
            yield ' '.join([*words[:place], other, *words[place + 1:]])


def count_fitting(sentence, items, image):
    """Return how many objects a sentence fits; none if it is not clear."""
    try:
        return len(evaluate(sentence, items, image)[0])
    except AssertionError:
        return 0


def check_near_miss(sentence, items, image):
    """Check that some of what is named is there, and that one other word makes it fit."""
    named = find_named(sentence)
    assert any(item[name] == value for item in items for name, value in named) or not named, 'it is absent'
    assert any(count_fitting(other, items, image) for other in exchange_one_word(sentence)), 'more than one word is off'


def check_absent(sentence, items):
    """Check that no object has anything that is named."""
    named = find_named(sentence)
    assert {'shape', 'colour'} & {name for name, _ in named} and 'not' not in sentence.split()
    assert not any(item[name] == value for item in items for name, value in named), 'it is there in part'


def check_ref(ref, items, image):
    """Check all sentences of a ref, of whatever number of targets, against the objects of its image."""
    targets = ref['ann_id'] if isinstance(ref['ann_id'], list) else [ref['ann_id']]
    assert isinstance(ref['ann_id'], list) == (len(targets) != 1)
    assert ref.get('no_target') is (None if targets else True)
    for sentence in ref['sentences']:
        text = sentence['sent']
        fitting, skills = evaluate(text, items, image)
        assert [item['ann_id'] for item in fitting] == targets, (text, items)
        assert not targets or len(targets) in allowed_counts(text), (text, items)
        tags = set(sentence['skills']) - skills
        assert sentence['skills'] == sorted(skills | tags), (text, skills)
        if targets:
            assert tags == ({'several'} if len(targets) > 1 else set())
            continue
        assert not names_several(text)
        tag, = tags
        assert tag in ('near miss', 'absent')
        if tag == 'absent':
            check_absent(text, items)
        else:
            check_near_miss(text, items, image)
