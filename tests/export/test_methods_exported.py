"""Every method as ONNX graphs: as PyTorch answers, for any number of sentences."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmris.apis import Predictor
from mmris.export import compare_logits, export_model
from mmris.runtime import OnnxPredictor
from mmris.web.examples import EXAMPLES
from tests.conftest import ROOT
from tests.test_configs import shrink, shrink_existence

METHODS = ('cm_masksd/vit-b_grefcoco', 'cm_masksd/swin-b_refcoco', 'cm_masksd/dinov2-b_refcoco',
           'cris/rn101_grefcoco', 'shared_ris/beit3-b_refcoco', 'risclip/vit-b_refcoco_stage2',
           'detris/vit-b_refcoco', 'lavt/swin-b_refcoco', 'mail/vilt-b_refcoco_two-modality', 'evf_sam/evf-sam',
           'evf_sam/evf-sam2-multitask')
# With an existence head. The others run in the slow tests.
QUICK = ('cm_masksd/vit-b_grefcoco', )


def toy_predictor(name: str) -> Predictor:
    torch.manual_seed(0)
    config = shrink(Config.fromfile(ROOT / 'configs' / f'{name}.py'))
    shrink_existence(config)
    predictor = Predictor(config, device='cpu')
    # As they begin, some models hardly hear the sentence.
    for parameter in predictor.model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=parameter[0].numel()**-0.5)
    return predictor


@pytest.mark.parametrize('name', [
    pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in METHODS])
def test_as_in_pytorch(name: str, tmp_path: Path):
    predictor = toy_predictor(name)
    export_model(predictor, tmp_path / 'exported', forms=['float32'])
    exported = OnnxPredictor(tmp_path / 'exported', threads=1)
    picture, sentences = EXAMPLES[1]
    assert compare_logits(predictor, exported, picture, sentences) < 1e-4

    predictor.set_image(picture)
    exported.set_image(picture)
    asked = [*sentences, 'a much longer sentence about the thing that lies to the left of the small yellow square']
    wanted, given = predictor.predict(asked), exported.predict(asked)
    assert given.protocol == wanted.protocol and given.sentences == wanted.sentences
    np.testing.assert_allclose(given.probabilities, wanted.probabilities, atol=1e-4)
    if wanted.existence is not None:
        np.testing.assert_allclose(given.existence, wanted.existence, atol=1e-4)
    # The comparison says something: sentences change the answer, and pixels differ.
    assert np.ptp(wanted.probabilities, axis=0).max() > 1e-3 and np.ptp(wanted.probabilities[0]) > 1e-3
