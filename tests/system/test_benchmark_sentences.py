"""benchmark_sentences.py, by what it counts: times are not ours to test."""

import json
from pathlib import Path

import pytest
import torch

from mmris.registry import MODELS
from mmris.structures import ReferringInputs
from mmris.utils.complexity import count_complexity
from mmris.utils.input_sizes import read_input_sizes
from tests.conftest import ROOT, run_command, tiny_config


def run(*arguments: object) -> None:
    run_command('benchmark_sentences', *arguments)


class TestBenchmarkSentences:

    def run(self, config: str, folder: Path, *options: str) -> dict:
        out = folder / 'sentences.json'
        run(ROOT / config, '--sentences', 3, '--repetitions', 2, '--out', out, *options)
        return json.loads(out.read_text())

    def test_numbers(self, tmp_path, capsys):
        results = self.run('configs/evf_sam/tiny_shaperef.py', tmp_path)
        assert results['tower'] == 'encoder.segmenter' and results['images'] == dict(together=1, one_by_one=3)
        assert {way: len(seconds) for way, seconds in results['seconds'].items()} == dict(together=2, one_by_one=2)
        image, sentence = (results['multiply_adds'][part] for part in ('image', 'sentence'))
        ratio, config = results['ratio'], tiny_config('evf_sam/tiny_shaperef.py')
        with torch.device('meta'):
            model = MODELS.build(config.model)
        total = count_complexity(model, shape=(64, 64), tokens=12, views=dict(joint=(64, 64)))['total']
        assert (image, sentence) == (total['image']['flops'], total['sentence']['flops'])
        assert ratio['allowed'] == pytest.approx(3 * (image + sentence) / (image + 3 * sentence))
        assert ratio['reached'] == pytest.approx(ratio['measured'] / ratio['allowed'])
        found = [alone / both for alone, both in zip(results['seconds']['one_by_one'], results['seconds']['together'])]
        assert ratio['spread'] == [min(found), max(found)] and ratio['measured'] == pytest.approx(sum(found) / 2)
        printed = capsys.readouterr()
        assert 'tiny_shaperef, 64 x 64 pixels, 12 tokens, float32\n' in printed.out
        assert 'images into encoder.segmenter' in printed.out and '8/8' in printed.err
        assert f'Multiply-adds allow {ratio["allowed"]:.2f} times' in printed.out

    @pytest.mark.parametrize('config, tower, options', [
        ('configs/cm_masksd/vit-tiny_shaperef.py', 'encoder.image',
         ['--tokens', '5', '--shape', '64', '32', '--amp', 'bfloat16']),
        ('configs/shared_ris/tiny_shaperef.py', 'encoder', []),
        ('configs/mail/tiny_shaperef.py', 'encoder', ['--instances', '2']),
        ('configs/risclip/vit-tiny_shaperef_stage2.py', 'encoder.image', []),
        ('configs/detris/tiny_shaperef.py', 'encoder.image', []),
        ('configs/lavt/tiny_shaperef.py', 'encoder.image', []),
    ])
    def test_other_encoders(self, tmp_path, capsys, config, tower, options):
        """Of which the image enters once, too, even if most of the work is done for each sentence."""
        results = self.run(config, tmp_path, *options)
        assert results['tower'] == tower and results['images'] == dict(together=1, one_by_one=3)
        assert results['precision'] == ('bfloat16' if '--amp' in options else 'float32')

    def test_both_ways_compute_the_same(self):
        """And each sentence has another mask."""
        torch.manual_seed(0)
        config = tiny_config('evf_sam/tiny_shaperef.py')
        model, sizes = MODELS.build(config.model).eval(), read_input_sizes(config)
        assert (sizes.shape, sizes.tokens, sizes.views) == ((64, 64), 12, dict(joint=(64, 64)))
        inputs = ReferringInputs(sizes.image(model.encoder), sizes.expressions(3))
        with torch.no_grad():
            together = model.encode_decode(inputs)
            for row in range(3):
                one = ReferringInputs(inputs.images, inputs.expressions.select(torch.tensor([row])))
                assert torch.allclose(model.encode_decode(one)[0], together[row], atol=1e-5)
        assert (together[0] - together[1]).abs().max() > 1e-4

    def test_a_model_alone_needs_an_input(self):
        with pytest.raises(ValueError, match='The test pipeline of the config does not say it: give --shape HEIGHT'):
            run(ROOT / 'configs/_base_/models/clip_vit-tiny_cris.py')
