"""The weights of a multiway layer's attention, against explicit sums."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmris.models.encoders.multiway import MultiwayLayer
from tests.models import plain_shared
from tests.models.plain_shared import linear, part


class TestMultiwayLayer:

    LENGTH, PATCHES = 5, 6

    @pytest.fixture
    def layer(self) -> MultiwayLayer:
        torch.manual_seed(0)
        layer = MultiwayLayer(channels=24, heads=3, feedforward_channels=48, drop_path=0)
        with torch.no_grad():
            for value in layer.parameters():
                value.add_(0.3 * torch.randn_like(value))
        return layer.eval()

    @pytest.fixture
    def inputs(self) -> tuple:
        """Image, words, and a mask that hides the second sentence's last two words."""
        token_mask = torch.arange(self.LENGTH) < torch.tensor([5, 3])[:, None]
        key_mask = F.pad(token_mask, (1 + self.PATCHES, 0), value=True)[:, None, None]
        return torch.randn(2, 1 + self.PATCHES, 24), torch.randn(2, self.LENGTH, 24), key_mask

    @staticmethod
    def explicit(layer: MultiwayLayer, image: Tensor, words: Tensor) -> tuple:
        """Weights ``(heads, T, T)`` and values ``(heads, T, channels / heads)`` of one sample without padding."""
        projected = []
        for name in ('query', 'key', 'value'):
            both = [
                linear(part(side.state_dict(), name),
                       plain_shared.layer_norm(part(side.state_dict(), 'attention_norm'), tokens))
                for side, tokens in ((layer.image, image), (layer.text, words))
            ]
            projected.append(torch.cat(both))
        heads = [slice(start, start + 8) for start in (0, 8, 16)]
        query, key, value = projected
        weights = [plain_shared.weights(query[:, head], key[:, head]) for head in heads]
        return torch.stack(weights), torch.stack([value[:, head] for head in heads])

    @torch.no_grad()
    def test_against_explicit_sums(self, layer, inputs):
        image, words, key_mask = inputs
        found = layer.attention_weights(image, words, key_mask)
        assert found.shape == (2, 3, 12, 12)
        assert torch.allclose(found.sum(dim=-1), torch.ones(2, 3, 12))
        assert (found[1, ..., -2:] == 0).all() and (found[0] > 0).all() and (found[1, ..., :-2] > 0).all()
        for sample, real in enumerate((5, 3)):
            expected, _ = self.explicit(layer, image[sample], words[sample, :real])
            tokens = 1 + self.PATCHES + real
            assert torch.allclose(found[sample, :, :tokens, :tokens], expected, atol=1e-6)
        unmasked = layer.attention_weights(image[:1], words[:1], None)
        assert torch.allclose(unmasked, found[:1], atol=1e-6)

    @torch.no_grad()
    def test_they_give_the_output(self, layer, inputs):
        """Weights times values, through the rest of the layer."""
        image, words, key_mask = inputs
        expected, found = layer(*inputs), layer.attention_weights(*inputs)
        for sample in range(2):
            _, values = self.explicit(layer, image[sample], words[sample])
            taken = (found[sample] @ values).transpose(0, 1).flatten(1)
            sides = zip((layer.image, layer.text), (image, words), taken.split((7, 5)), expected)
            for expert, before, given, after in sides:
                tokens = before[sample] + expert.output(expert.inner_norm(given))
                tokens = tokens + expert.feedforward(expert.feedforward_norm(tokens))
                assert torch.allclose(tokens, after[sample], atol=1e-5)
