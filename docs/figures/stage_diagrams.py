"""The stages of each method, as diagrams: what stands where, and what passes between them."""

from typing import Callable, Dict, List

from stage_drawing import Arrow, Box, Diagram, Group
from stage_models import Built, count, shape


def _data(row: int, columns: tuple, title: str) -> Box:
    return Box(row, columns, 'data', title)


def _inputs(built: Built, image: tuple, sentence: tuple) -> Dict[str, Box]:
    return dict(
        pixels=_data(0, image, f'image, {" × ".join(map(str, built.sizes.shape))}'),
        tokens=_data(0, sentence, f'sentence, {built.sizes.tokens} tokens'))


def _mask(built: Built, row: int, columns: tuple) -> Box:
    return _data(row, columns, f'logits, {shape(built.logits)}')


def _encoder(built: Built, members: tuple, column: float = 0) -> Group:
    return Group(f'encoder: {type(built.model.encoder).__name__}', members, column)


def _footnote(*configs: Built) -> str:
    names = ' and '.join(f'configs/{config.name}' for config in configs)
    return f'Drawn from {names}.'


def _stages(built: Built, prefix: str = '') -> str:
    stages = [shape(stage) for stage in built.encoded.image.stages]
    return prefix + (', '.join(stages) if len(set(stages)) > 1 else f'{len(stages)} × ({stages[0]})')


def _cris_tail(built: Built, first: int, right: float) -> Dict[str, Box]:
    """Neck, decoder and head one below the other, for an image and a sentence of two towers."""
    decoder = built.config.decoder
    return dict(
        neck=built.box('neck', first, (0, right), 'joint', 'Neck', 'three stages and the sentence become one map'),
        decoder=built.box(
            'decoder', first + 1, (0, right), 'joint', 'Decoder',
            f'{decoder.num_layers} layers: pixels attend to pixels, then to words'),
        head=built.box('head', first + 2, (0, right), 'mask', 'Head',
                       'the sentence becomes a 3 × 3 kernel for the pixels'),
        mask=_mask(built, first + 3, (0, right)))


def _cris_arrows(built: Built, middle: float, rails: tuple) -> List[Arrow]:
    sentence, words = shape(built.encoded.text.sentence), shape(built.encoded.text.words)
    return [
        Arrow('tower', 'neck', _stages(built), column=middle),
        Arrow('neck', 'decoder', shape(built.fused.pixels), column=middle),
        Arrow('decoder', 'head', shape(built.decoded.pixels), column=middle),
        Arrow('head', 'mask', column=middle),
        Arrow('text', 'neck', f'sentence, {sentence}', column=rails[0]),
        Arrow('text', 'decoder', f'words, {words}', column=rails[1]),
        Arrow('text', 'head', f'sentence, {sentence}', column=rails[2]),
    ]


def _two_towers(built: Built, *tower_lines: str) -> Diagram:
    boxes = dict(
        **_inputs(built, (0, 6.2), (8.2, 12)),
        tower=built.box('encoder.image', 1, (0, 6.2), 'image', 'Image tower', *tower_lines),
        text=built.box('encoder.text', 1, (8.2, 12), 'text', 'Text tower',
                       f'{len(built.model.encoder.text.blocks)} blocks'),
        **_cris_tail(built, 2, 6.2))
    return Diagram(
        boxes,
        [Arrow('pixels', 'tower'), Arrow('tokens', 'text'), *_cris_arrows(built, 3.1, (8.8, 10.1, 11.4))],
        groups=[_encoder(built, ('tower', 'text'))],
        gaps={1: 48, 2: 44},
        footnote=_footnote(built))


def draw_cris() -> Diagram:
    built = Built('cris/rn50_refcoco.py')
    return _two_towers(built, 'layers 2, 3 and 4; attention pool at every pixel of the last')


def draw_cm_masksd() -> Diagram:
    built = Built('cm_masksd/vit-b_refcoco.py')
    taps = ', '.join(map(str, built.config.encoder.taps))
    plain = _two_towers(built, f'stages after blocks {taps}; the last in the joint space')
    boxes, arrows, groups = dict(plain.boxes), list(plain.arrows), list(plain.groups)
    cells = built.encoded.image.patches.shape[1]
    for row, (name, tokens, other, symbol) in enumerate([
        ('lmvsd', f'{cells:,} patches', 'sentence', "v'"), ('vmlsd', 'words', 'image', "w'")], start=6):
        branch, settings = built.model.distillation[name], built.config.distillation[name]
        share = settings.correlation_filter.top_k
        steps = {
            'filter': built.box(f'distillation.{name}.correlation_filter', row, (0, 3.4), 'training', 'Filter',
                                f'selects {share:.0%} of {tokens},', f'by correlation with the {other}',
                                dashed=True),
            'token': Box(row, (3.8, 6.3), 'training', f'Mask {settings.mask_ratio:.0%}',
                         ('of the selected ones', f'become {symbol},', 'a learned vector'), dashed=True,
                         note=count([branch.mask_token])),
            'replay': Box(row, (6.8, 8.9), 'training', 'Replay',
                          ('encoder, neck,', 'decoder, head:',
                           'shared weights' if settings.share_weights else 'copies'), dashed=True),
            'loss': built.box(f'distillation.{name}.loss', row, (9.4, 12), 'training',
                              f'Loss × {settings.loss.loss_weight:g}', 'pulls the replay to the',
                              'logits above, detached', dashed=True),
        }
        boxes.update({f'{name}_{step}': box for step, box in steps.items()})
        names = [f'{name}_{step}' for step in steps]
        arrows += [Arrow(one, two, dashed=True) for one, two in zip(names, names[1:])]
        groups.append(Group(f'{name}: {type(branch).__name__}, in training only', tuple(names), dashed=True))
    return Diagram(boxes, arrows, groups, gaps={**plain.gaps, 6: 44, 7: 44}, footnote=plain.footnote)


def draw_detris() -> Diagram:
    built = Built('detris/vit-b_refcoco.py')
    encoder = built.config.encoder
    boxes = dict(
        **_inputs(built, (0, 2.75), (6.6, 9.25)),
        tower=built.box('encoder.image', 1, (0, 2.75), 'image', 'Image tower',
                        f'stages {", ".join(map(str, encoder.image.taps))}'),
        image_adapters=built.box('encoder.image_adapters', 1, (3.25, 5.7), 'joint', 'Adapters',
                                 f'in blocks {_range(encoder.image_adapter_blocks)}'),
        text=built.box('encoder.text', 1, (6.6, 9.25), 'text', 'Text tower',
                       f'{len(built.model.encoder.text.blocks)} blocks'),
        text_adapters=built.box('encoder.text_adapters', 1, (9.75, 12), 'text', 'Adapters',
                                f'in blocks {_range(encoder.text_adapter_blocks)}'),
        **_cris_tail(built, 2, 5.3))
    arrows = [
        Arrow('pixels', 'tower'), Arrow('tokens', 'text'),
        Arrow('tower', 'image_adapters', both=True), Arrow('text', 'text_adapters', both=True),
        Arrow('text', 'image_adapters', 'words'), *_cris_arrows(built, 1.4, (7.1, 7.9, 8.7))
    ]
    return Diagram(
        boxes,
        arrows,
        groups=[_encoder(built, ('tower', 'image_adapters', 'text', 'text_adapters'), column=1.7)],
        gaps={1: 48, 2: 44},
        footnote=_footnote(built))


def _range(numbers: tuple) -> str:
    """``'2, 4, .. 12'``."""
    return f'{numbers[0]}, {numbers[1]}, .. {numbers[-1]}'


def draw_lavt() -> Diagram:
    built = Built('lavt/swin-b_refcoco.py')
    stages = built.encoded.image.stages
    boxes = dict(**_inputs(built, (0, 3.1), (9.3, 12)))
    places = [(2.25 * index, 2.25 * index + 1.95) for index in range(len(stages))]
    for index, (place, stage) in enumerate(zip(places, stages)):
        boxes[f'stage{index}'] = built.box(
            f'encoder.image.layers.{index}', 1, place, 'image', f'Stage {index + 1}', shape(stage))
    boxes.update(
        text=built.box('encoder.text', 1, (9.3, 12), 'text', 'Text tower',
                       f'{len(built.model.encoder.text.layers)} layers'),
        attention=built.box('encoder.attentions', 2, (0, 8.7), 'joint', 'Attention after each stage',
                            'pixels gather words; a gate adds the result to the next stage\'s input'),
        neck=built.box('neck', 3, (0, 8.7), 'joint', 'Neck', 'hands on what each attention gives; it learns nothing'),
        decoder=built.box('decoder', 4, (0, 8.7), 'mask', 'Decoder',
                          '3 × 3 convolutions, from the deepest stage to the shallowest'),
        head=built.box('head', 5, (0, 8.7), 'mask', 'Head', 'two classes, enlarged to the input'),
        mask=_mask(built, 6, (0, 8.7)))
    arrows = [Arrow('pixels', 'stage0', column=0.9), Arrow('tokens', 'text'),
              Arrow('text', 'attention', f'words, {shape(built.encoded.text.words)}', column=10.9)]
    for index, place in enumerate(places):
        if index:
            arrows += [Arrow(f'stage{index - 1}', f'stage{index}'),
                       Arrow('attention', f'stage{index}', 'gate', column=place[0] + 0.4)]
        arrows.append(Arrow(f'stage{index}', 'attention', column=place[0] + 1.5))
    arrows += [Arrow('attention', 'neck', _stages(built), column=1.4),
               Arrow('neck', 'decoder', column=1.4),
               Arrow('decoder', 'head', shape(built.decoded.pixels), column=1.4),
               Arrow('head', 'mask', column=1.4)]
    members = (*(f'stage{index}' for index in range(len(stages))), 'text', 'attention')
    return Diagram(boxes, arrows, [_encoder(built, members, column=1.3)],
                   gaps={1: 48, 3: 44}, footnote=_footnote(built))


def draw_shared_ris() -> Diagram:
    built = Built('shared_ris/beit3-b_refcoco.py')
    encoder, words = built.config.encoder, built.encoded.text.stages[-1]
    patches = built.encoded.image.stages[-1].flatten(2).shape[2]
    sequence = f'class token, {patches} patches, {words.shape[1]} words'
    taps = ', '.join(map(str, encoder.taps))
    boxes = dict(
        **_inputs(built, (0.8, 4.8), (7.2, 11.2)),
        encoder=built.box('encoder', 1, (0, 12), 'joint', 'Encoder',
                          f'one sequence of {sequence}; weights of its own for each modality'),
        neck=built.box('neck', 2, (0, 12), 'joint', 'Neck',
                       'self-attention over image and words in each layer, then one linear map of all'),
        decoder=built.box('decoder', 3, (0, 12), 'joint', 'Decoder',
                          f'{built.config.decoder.num_layers} layer of self-attention over image and words'),
        head=built.box('head', 4, (0, 12), 'mask', 'Head', 'the logit of a pixel is its product with the sentence'),
        mask=_mask(built, 5, (4, 8)))
    arrows = [
        Arrow('pixels', 'encoder'), Arrow('tokens', 'encoder'),
        Arrow('encoder', 'neck', f'layers {taps}: {sequence}, {words.shape[2]} wide', column=1.6),
        Arrow('neck', 'decoder', f'{sequence}, {built.fused.words.shape[2]} wide', column=1.6),
        Arrow('decoder', 'head', f'pixels, {shape(built.decoded.pixels)}', column=1.6),
        Arrow('decoder', 'head', f'textual [CLS], {shape(built.decoded.sentence)}', column=7.2), Arrow('head', 'mask'),
    ]
    return Diagram(boxes, arrows, footnote=_footnote(built))


def draw_mail() -> Diagram:
    built = Built('mail/vilt-b_refcoco.py', instances=10)
    boxes = dict(
        **_inputs(built, (0.2, 3.6), (4.3, 7.7)),
        found=_data(0, (8.4, 11.8), 'instance masks, here 10'),
        encoder=built.box(
            'encoder', 1, (0, 12), 'joint', 'Encoder',
            f'one sequence of words, {built.encoded.image.patches.shape[1]} patches and a token for each mask'),
        neck=built.box('neck', 2, (0, 12), 'joint', 'Neck', 'hands on patches and mask tokens; it learns nothing'),
        decoder=built.box('decoder', 3, (0, 7.2), 'mask', 'Decoder',
                          'three times: double the grid, then a convolution'),
        selection=Box(3, (8.6, 12), 'mask', 'Mask selection', ('an MLP of the decoder', 'scores each mask'),
                      note=count(built.model.decoder.mask_selection.parameters())),
        head=built.box('head', 4, (0, 7.2), 'mask', 'Head', 'a 1 × 1 convolution'),
        selection_loss=built.box('auxiliary_losses.selection', 4, (8.6, 12), 'training', 'Loss of the scores',
                                 'is its IoU above 0.5?', dashed=True),
        mask=_mask(built, 5, (0, 7.2)))
    arrows = [
        Arrow('pixels', 'encoder'), Arrow('tokens', 'encoder'), Arrow('found', 'encoder'), Arrow('encoder', 'neck'),
        Arrow('neck', 'decoder', f'patches, {shape(built.fused.pixels)}', column=3.6),
        Arrow('neck', 'selection', f'masks, {shape(built.fused.instances.tokens)}', column=9.6),
        Arrow('selection', 'decoder', 'union'),
        Arrow('selection', 'selection_loss', dashed=True),
        Arrow('decoder', 'head', shape(built.decoded.pixels), column=3.6), Arrow('head', 'mask', column=3.6),
    ]
    return Diagram(boxes, arrows, footnote=_footnote(built))


def draw_evf_sam() -> Diagram:
    built = Built('evf_sam/vit-h_beit3-l_refcoco.py')
    joint = ' × '.join(map(str, built.sizes.views['joint']))
    maps = built.encoded.maps
    boxes = dict(
        pixels=_data(0, (0.5, 4.2), f'image, {" × ".join(map(str, built.sizes.shape))}'),
        view=_data(0, (5.6, 8.7), f'small view, {joint}'),
        tokens=_data(0, (9.0, 12), 'sentence'),
        tower=built.box('encoder.segmenter', 1, (0, 4.7), 'image', 'Image tower', 'runs once per image'),
        joint=built.box('encoder.joint', 1, (5.6, 12), 'joint', 'Joint encoder',
                        'reads the small view together with the sentence'),
        neck=built.box('neck', 2, (5.6, 12), 'joint', 'Neck', 'the class token becomes a prompt for SAM'),
        head=built.box('head', 3, (0, 12), 'mask', 'Head',
                       'tokens of masks, the prompt and the image meet in a two-way transformer'),
        mask=_mask(built, 4, (4, 8)))
    arrows = [
        Arrow('pixels', 'tower'), Arrow('view', 'joint'), Arrow('tokens', 'joint'),
        Arrow('joint', 'neck', f'class token, {shape(built.encoded.image.image_global)}', column=7.2),
        Arrow('neck', 'head', f'prompt, {shape(built.fused.sentence)}', column=7.2),
        Arrow('tower', 'head', f'map, {shape(maps.values[-1])}', column=1.6), Arrow('head', 'mask')
    ]
    return Diagram(boxes, arrows, [_encoder(built, ('tower', 'joint'), column=2.7)],
                   gaps={1: 48, 2: 44}, footnote=_footnote(built))


def draw_risclip() -> Diagram:
    first, second = Built('risclip/vit-b_refcoco_stage1.py'), Built('risclip/vit-b_refcoco_stage2.py')
    encoder = first.model.encoder
    boxes = dict(
        **_inputs(first, (0, 3.9), (8.1, 12)),
        tower=first.box('encoder.image', 1, (0, 3.9), 'image', 'Image tower', 'the last block on the value path'),
        cfe=first.box('encoder.cfe', 1, (4.5, 7.5), 'joint', 'CFE', 'before each block'),
        text=first.box('encoder.text', 1, (8.1, 12), 'text', 'Text tower', f'{len(encoder.text.blocks)} blocks'),
        image_adapters=first.box('encoder.image_adapters', 2, (0, 2.6), 'image', 'Adapters', 'two in each block'),
        text_adapters=first.box('encoder.text_adapters', 2, (9.4, 12), 'text', 'Adapters', 'two in each block'),
        ske=first.box('encoder.ske', 3, (0, 12), 'joint', 'SKE',
                      'attention between and within modalities, in CLIP\'s joint space'),
        map=first.box('head', 4, (0, 4.9), 'mask', 'Stage 1: head', 'cosine of each patch and sentence'),
        patches=_data(5, (0, 4.9), f'patch map, {shape(first.logits)}'),
        decoder=second.box('decoder', 4, (5.9, 12), 'mask', 'Stage 2: decoder; all before it is frozen',
                           f'patch map and blocks {", ".join(map(str, second.config.encoder.taps))}'),
        head=second.box('head', 5, (5.9, 12), 'mask', 'Stage 2: head', 'a 1 × 1 convolution, then twice the grid'),
        mask=_mask(second, 6, (5.9, 12)))
    arrows = [
        Arrow('pixels', 'tower'), Arrow('tokens', 'text'), Arrow('tower', 'cfe', both=True),
        Arrow('text', 'cfe', both=True), Arrow('tower', 'image_adapters', column=1.3, both=True),
        Arrow('text', 'text_adapters', column=10.7, both=True),
        Arrow('tower', 'ske', f'patches, {shape(first.encoded.image.patches)}', column=3.3),
        Arrow('text', 'ske', 'words', column=8.5),
        Arrow('ske', 'map', f'{type(first.model.neck).__name__}: patches, sentence', column=2.4),
        Arrow('map', 'patches', column=2.4),
        Arrow('ske', 'decoder', _stages(second, 'and '), column=8.9),
        Arrow('decoder', 'head', shape(second.decoded.pixels), column=8.9),
        Arrow('head', 'mask', column=8.9),
    ]
    members = ('tower', 'cfe', 'text', 'image_adapters', 'text_adapters', 'ske')
    return Diagram(boxes, arrows, [_encoder(first, members, column=4.5)], gaps={1: 48, 4: 44},
                   footnote=_footnote(first, second))


def draw_maskris() -> Diagram:
    built = Built('maskris/lavt_refcoco.py')
    settings = built.config.distillation.maskris
    image, words = settings.image, settings.words
    stages = [type(getattr(built.model, stage)).__name__ for stage in ('encoder', 'neck', 'decoder', 'head')]
    size = ' × '.join(map(str, built.sizes.shape))
    boxes = dict(
        batch=_data(0, (0, 5.2), f'image, {size}; sentence, {built.sizes.tokens} tokens'),
        blocks=built.box('distillation.maskris.image', 0, (6.2, 8.8), 'training', f'Hide {image.ratio:.0%} of pixels',
                         f'in blocks of {image.block} pixels', dashed=True),
        words=built.box('distillation.maskris.words', 0, (9.2, 12), 'training', f'Mask {words.ratio:.0%} of words',
                        f'{words.mask_share:.0%} become [MASK]', dashed=True),
        model=Box(1, (0, 5.2), 'joint', 'Clean pass: any model, here LAVT',
                  (', '.join(stages[:2]) + ',', ', '.join(stages[2:]))),
        replay=Box(1, (6.2, 12), 'training', 'Masked pass',
                   (type(built.model.distillation.maskris).__name__, 'the same model with the same weights'),
                   dashed=True),
        mask=_mask(built, 2, (0, 5.2)),
        replay_loss=built.box('distillation.maskris.loss', 2, (6.2, 12), 'training',
                              f'Loss × {settings.loss.loss_weight:g}', 'pulls it to the clean pass, detached',
                              dashed=True),
        loss=built.box('losses.bce', 3, (0, 5.2), 'mask', f'Loss × {built.config.losses.bce.loss_weight:g}',
                       'with the ground truth', dashed=True))
    arrows = [
        Arrow('batch', 'blocks', dashed=True), Arrow('blocks', 'words', dashed=True), Arrow('batch', 'model'),
        Arrow('blocks', 'replay', 'masked image', column=7.2, dashed=True),
        Arrow('words', 'replay', 'masked words', column=10.2, dashed=True), Arrow('model', 'mask'),
        Arrow('replay', 'replay_loss', f'logits, {shape(built.logits)}', column=9.1, dashed=True),
        Arrow('mask', 'replay_loss', 'teacher', dashed=True), Arrow('mask', 'loss', dashed=True)
    ]
    return Diagram(boxes, arrows, footnote=_footnote(built))


DIAGRAMS: Dict[str, Callable[[], Diagram]] = dict(
    cm_masksd=draw_cm_masksd,
    cris=draw_cris,
    detris=draw_detris,
    evf_sam=draw_evf_sam,
    lavt=draw_lavt,
    mail=draw_mail,
    maskris=draw_maskris,
    risclip=draw_risclip,
    shared_ris=draw_shared_ris)
