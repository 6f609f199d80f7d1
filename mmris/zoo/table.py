"""The zoo: one row for each name."""

from typing import Dict, Optional, Tuple, Union

from .models import MODEL, NO, PARTLY, TOWERS, UNKNOWN, YES, HubFile, OtherFile, PackageFile, Score, ZooModel

_CLIP = dict(
    kind=TOWERS,
    published='clip',
    quick_gelu=True,
    licence='MIT',
    trained_on='400M pairs of the web',
    test_images=UNKNOWN,
    link='https://github.com/openai/CLIP')
_CLIP_FILE = 'open_clip_model.safetensors'
_BEIT3_FILES = 'https://github.com/addf400/files/releases/download/beit3'
_BEIT3 = dict(
    kind=TOWERS,
    published='beit3',
    licence='MIT',
    trained_on='ImageNet-21k, text, pairs of the web',
    test_images=UNKNOWN,
    link='https://github.com/microsoft/unilm/tree/master/beit3',
    vocabulary=OtherFile(address=f'{_BEIT3_FILES}/beit3.spm', file='beit3.spm'),
    note='The publisher also has an "indomain" file, which was trained on images of COCO. This is the other one.')
_BERT = dict(repository='google-bert/bert-base-uncased', revision='86b5e0934494bd15c9632b12f734a8a67f723594')
_BERT_VOCABULARY = HubFile(
    **_BERT,
    file='vocab.txt',
    size=231508,
    sha256='07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3')
_EVF_SAM = dict(
    kind=MODEL,
    published='evf_sam',
    licence='Apache-2.0',
    test_images=PARTLY,
    link='https://github.com/hustvl/EVF-SAM')
_REFERRING = 'RefCOCO, RefCOCO+, RefCOCOg (umd), RefCLEF'
_MULTITASK = 'as evf-sam, and Objects365, ADE20K, PartImageNet, HumanParsing, Pascal-Part'
_ONE_SET = 'Its training split shares images with val and test splits of other sets.'
_SEEN = 'Its training sets keep images of one another\'s val and test splits.'


def _evf_sam_files(name: str, weights: str, size: Optional[int] = None) -> Dict[str, HubFile]:
    """Weights and vocabulary of a repository of EVF-SAM's author."""
    repository = f'YxZhang/{name}'
    return dict(
        weights=HubFile(repository=repository, file=weights, size=size),
        vocabulary=HubFile(repository=repository, file='sentencepiece.bpe.model'))


def _detris(name: str, weights: Union[HubFile, OtherFile], trained_on: str, note: str,
            **scores: float) -> ZooModel:
    """A model of DETRIS's author, by the name of its config; scores are mIoU by data and split."""
    return ZooModel(
        name='detris-' + name.replace('+', '-plus').replace('_', '-'),
        kind=MODEL,
        config=f'mmris::detris/{name}.py',
        weights=weights,
        published='detris',
        licence='not stated',
        trained_on=trained_on,
        test_images=PARTLY,
        link='https://github.com/jiaqihuang01/DETRIS',
        scores=tuple(Score(data=data, metric='mIoU', value=value) for data, value in scores.items()),
        note=f'{note} To score it as DETRIS\'s code does: --cfg-options model.protocol=cris.')


def _detris_base(name: str, file: str, digits: str, trained_on: str, **scores: float) -> ZooModel:
    weights = HubFile(repository='thuteam/DETRIS', file=f'base/base_{file}.pth')
    return _detris(f'vit-b_{name}', weights, trained_on,
                   f'703 MB. Its SHA-256 begins with {digits}. {_ONE_SET}', **scores)


def _detris_large(name: str, folder: str, file: str, trained_on: str, note: str, **scores: float) -> ZooModel:
    weights = OtherFile(address=f'https://huggingface.co/thuteam/DETRIS/tree/main/{folder}', file=file)
    return _detris(f'vit-l_{name}', weights, trained_on,
                   f'We have not seen the names of the files there. {note}', **scores)


def _lavt(name: str, trained_on: str, **scores: float) -> ZooModel:
    """A model of LAVT's authors, by the name of its config; scores are oIoU by data and split."""
    return ZooModel(
        name='lavt-' + name.replace('+', '-plus').replace('_', '-'),
        kind=MODEL,
        config=f'mmris::lavt/swin-b_{name}.py',
        weights=OtherFile(address='https://github.com/yz93/LAVT-RIS', file=f'lavt_{name}.pth'),
        published='lavt',
        licence='not stated',
        trained_on=trained_on,
        test_images=PARTLY,
        link='https://github.com/yz93/LAVT-RIS',
        scores=tuple(Score(data=data, metric='oIoU', value=value) for data, value in scores.items()),
        note='The README there links the files on Google Drive, under names that we have not seen: save one under this '
        f'name, or give its path. The code there is GPL-3.0. {_ONE_SET} To score it as LAVT\'s code does: '
        '--cfg-options model.protocol=lavt.')


def _published_oiou(**scores: float) -> Tuple[Score, ...]:
    return tuple(Score(data=f'RefCOCO (unc) {split}', metric='oIoU', value=value) for split, value in scores.items())


MODELS: Tuple[ZooModel, ...] = (
    ZooModel(
        name='cm-masksd-shaperef',
        kind=MODEL,
        config='mmris::cm_masksd/vit-small_shaperef.py',
        weights=PackageFile(
            path='zoo/weights/cm-masksd-shaperef.safetensors',
            size=3420508,
            sha256='1afdc4f3c8e14152536b7f563267a7125a36d0acff3a54c1c65f285885288ecb'),
        licence='Apache-2.0',
        trained_on='ShapeRef',
        test_images=NO,
        link='configs/cm_masksd/README.md',
        scores=(
            Score(data='ShapeRef val', metric='mIoU', value=85.53, ours=True),
            Score(data='ShapeRef testA', metric='mIoU', value=86.07, ours=True),
            Score(data='ShapeRef testB', metric='mIoU', value=77.00, ours=True),
        ),
        example_iou=70,
        note='It knows coloured shapes on textured grounds, not photographs.'),
    ZooModel(
        name='risclip-value-path',
        kind=MODEL,
        config='mmris::risclip/ablations/value-path.py',
        weights=None,
        towers='clip-vit-b-16',
        licence='MIT',
        trained_on='400M pairs of the web',
        test_images=UNKNOWN,
        link='configs/risclip/README.md',
        scores=(Score(data='RefCOCOg (umd) test', metric='mIoU', value=23.86), ),
        note='CLIP\'s own weights, without any training of ours.'),
    ZooModel(
        name='cris-rn50-refcoco',
        kind=MODEL,
        config='mmris::cris/rn50_refcoco.py',
        weights=OtherFile(address='https://github.com/DerrickWang005/CRIS.pytorch/issues/3', file='best_model.pth'),
        published='cris',
        licence='not stated',
        trained_on='RefCOCO (unc) train',
        test_images=PARTLY,
        link='https://github.com/DerrickWang005/CRIS.pytorch/issues/3',
        note='A user of CRIS\'s code trained it and links it in this thread. The link expires. Of RefCOCO it has seen '
        'the train split alone, which shares images with val and test of RefCOCOg. To score it as CRIS\'s code does: '
        '--cfg-options model.protocol=cris.'),
    _lavt(
        'refcoco', 'RefCOCO (unc) train',
        **{'RefCOCO (unc) val': 72.73, 'RefCOCO (unc) testA': 75.82, 'RefCOCO (unc) testB': 68.79}),
    _lavt(
        'refcoco+', 'RefCOCO+ (unc) train',
        **{'RefCOCO+ (unc) val': 62.14, 'RefCOCO+ (unc) testA': 68.38, 'RefCOCO+ (unc) testB': 55.10}),
    _lavt('refcocog_umd', 'RefCOCOg (umd) train', **{'RefCOCOg (umd) val': 61.24, 'RefCOCOg (umd) test': 62.09}),
    _lavt('refcocog_google', 'RefCOCOg (google) train', **{'RefCOCOg (google) val': 60.50}),
    _detris_base(
        'refcoco', 'refcoco', 'f52c5b00', 'RefCOCO (unc) train',
        **{'RefCOCO (unc) val': 76.0, 'RefCOCO (unc) testA': 78.2, 'RefCOCO (unc) testB': 73.5}),
    _detris_base(
        'refcoco+', 'refcoco+', 'cdcc780f', 'RefCOCO+ (unc) train',
        **{'RefCOCO+ (unc) val': 68.9, 'RefCOCO+ (unc) testA': 74.0, 'RefCOCO+ (unc) testB': 61.5}),
    _detris_base(
        'refcocog_umd', 'refcocog_u', 'afec3bca', 'RefCOCOg (umd) train',
        **{'RefCOCOg (umd) val': 67.9, 'RefCOCOg (umd) test': 68.1}),
    _detris_base(
        'refcocog_google', 'refcocog_g', 'c5ac5531', 'RefCOCOg (google) train',
        **{'RefCOCOg (google) val': 65.9}),
    _detris_large(
        'refcoco', 'large', 'large_refcoco.pth', 'RefCOCO (unc) train', _ONE_SET,
        **{'RefCOCO (unc) val': 77.3, 'RefCOCO (unc) testA': 79.0, 'RefCOCO (unc) testB': 75.2}),
    _detris_large(
        'refcoco+', 'large', 'large_refcoco+.pth', 'RefCOCO+ (unc) train', _ONE_SET,
        **{'RefCOCO+ (unc) val': 70.8, 'RefCOCO+ (unc) testA': 75.3, 'RefCOCO+ (unc) testB': 64.7}),
    _detris_large(
        'refcocog_umd', 'large', 'large_refcocog_u.pth', 'RefCOCOg (umd) train', _ONE_SET,
        **{'RefCOCOg (umd) val': 69.3, 'RefCOCOg (umd) test': 70.2}),
    _detris_large(
        'refcocog_google', 'large', 'large_refcocog_g.pth', 'RefCOCOg (google) train', _ONE_SET,
        **{'RefCOCOg (google) val': 67.9}),
    _detris_large(
        'refcoco_mixed', 'mix', 'mix.pth', 'RefCOCO, RefCOCO+, RefCOCOg (umd)', _SEEN,
        **{'RefCOCO (unc) val': 81.0, 'RefCOCO (unc) testA': 81.9, 'RefCOCO (unc) testB': 79.0,
           'RefCOCO+ (unc) val': 75.2, 'RefCOCOg (umd) val': 74.6}),
    ZooModel(
        name='evf-sam',
        config='mmris::evf_sam/evf-sam.py',
        trained_on=_REFERRING,
        scores=_published_oiou(val=82.1, testA=83.7, testB=80.0),
        note=_SEEN,
        **_evf_sam_files('evf-sam', 'pytorch_model.bin'),
        **_EVF_SAM),
    ZooModel(
        name='evf-sam-multitask',
        config='mmris::evf_sam/evf-sam-multitask.py',
        trained_on=_MULTITASK,
        scores=_published_oiou(val=82.4, testA=84.2, testB=80.2),
        note=f'{_SEEN} "[semantic] hair" asks for all of a class.',
        **_evf_sam_files('evf-sam-multitask', 'pytorch_model.bin'),
        **_EVF_SAM),
    ZooModel(
        name='evf-sam2',
        config='mmris::evf_sam/evf-sam2.py',
        trained_on=_REFERRING,
        scores=_published_oiou(testA=83.6),
        note=_SEEN,
        **_evf_sam_files('evf-sam2', 'model.safetensors', 3145168996),
        **_EVF_SAM),
    ZooModel(
        name='evf-sam2-multitask',
        config='mmris::evf_sam/evf-sam2-multitask.py',
        trained_on=_MULTITASK,
        scores=_published_oiou(testA=83.2),
        note=f'{_SEEN} "[semantic] hair" asks for all of a class. We have not seen the list of its files.',
        **_evf_sam_files('evf-sam2-multitask', 'model.safetensors'),
        **_EVF_SAM),
    ZooModel(
        name='clip-vit-b-16',
        config='mmris::cm_masksd/vit-b_refcoco.py',
        weights=HubFile(
            repository='timm/vit_base_patch16_clip_224.openai',
            file=_CLIP_FILE,
            revision='977e3dd0ec55ab8da155f2fbeb6b5f54948b6e3d',
            size=598516980,
            sha256='4b8699299b1e8997753c64b052ba32031449d5d853f55a039148560ee02b820f'),
        **_CLIP),
    ZooModel(
        name='clip-vit-l-14',
        config='mmris::cm_masksd/vit-l_refcoco.py',
        weights=HubFile(
            repository='timm/vit_large_patch14_clip_224.openai',
            file=_CLIP_FILE,
            revision='18d0535469bb561bf468d76c1d73aa35156c922b',
            sha256='9ce2e8a8ebfff3793d7d375ad6d3c35cb9aebf3de7ace0fc7308accab7cd207e'),
        **_CLIP),
    ZooModel(
        name='clip-rn50',
        config='mmris::cris/rn50_refcoco.py',
        weights=HubFile(
            repository='timm/resnet50_clip.openai',
            file=_CLIP_FILE,
            revision='ec3d92cf63a5f9d591f0d611b736895966c73076',
            size=408291932,
            sha256='da0baa37fb2211eee5729ab69ed587eb10d48f5b7076ceeed01552fc3d4cb4ee'),
        **_CLIP),
    ZooModel(
        name='clip-rn101',
        config='mmris::cris/rn101_refcoco.py',
        weights=HubFile(repository='timm/resnet101_clip.openai', file=_CLIP_FILE),
        **_CLIP),
    ZooModel(
        name='beit3-base',
        config='mmris::shared_ris/beit3-b_refcoco.py',
        weights=OtherFile(
            address=f'{_BEIT3_FILES}/beit3_base_patch16_224.pth', file='beit3_base_patch16_224.pth'),
        **_BEIT3),
    ZooModel(
        name='beit3-large',
        config='mmris::shared_ris/beit3-l_refcoco.py',
        weights=OtherFile(
            address=f'{_BEIT3_FILES}/beit3_large_patch16_224.pth', file='beit3_large_patch16_224.pth'),
        **_BEIT3),
    ZooModel(
        name='vilt-b-32',
        kind=TOWERS,
        config='mmris::mail/vilt-b_refcoco.py',
        weights=OtherFile(
            address='https://github.com/dandelin/ViLT/releases/download/200k/vilt_200k_mlm_itm.ckpt',
            file='vilt_200k_mlm_itm.ckpt'),
        published='vilt',
        licence='Apache-2.0',
        trained_on='GCC, SBU, COCO, Visual Genome',
        test_images=YES,
        link='https://github.com/dandelin/ViLT',
        vocabulary=_BERT_VOCABULARY,
        note='It has seen images of all splits of RefCOCO with captions, since they are images of COCO train2014.'),
    ZooModel(
        name='bert-base-uncased',
        kind=TOWERS,
        config='mmris::lavt/swin-b_refcoco.py',
        weights=HubFile(**_BERT, file='model.safetensors'),
        published='bert',
        licence='Apache-2.0',
        trained_on='books, Wikipedia',
        test_images=NO,
        link='https://huggingface.co/google-bert/bert-base-uncased',
        vocabulary=_BERT_VOCABULARY),
    ZooModel(
        name='swin-b-window12-22k',
        kind=TOWERS,
        config='mmris::lavt/swin-b_refcoco.py',
        weights=OtherFile(
            address='https://github.com/SwinTransformer/storage/releases/download/v1.0.0/'
            'swin_base_patch4_window12_384_22k.pth',
            file='swin_base_patch4_window12_384_22k.pth'),
        published='swin_stages',
        licence='MIT',
        trained_on='ImageNet-22k',
        test_images=UNKNOWN,
        link='https://github.com/microsoft/Swin-Transformer'),
)
