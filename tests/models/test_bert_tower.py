"""BERT as a text tower, against transformers' BertModel."""

from typing import Any, Tuple

import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from mmris.models.encoders import BERTTextTower
from mmris.structures import ExpressionBatch
from tests.conftest import assert_close

MEASURES = dict(layers=3, channels=24, heads=4, feedforward_channels=40, vocabulary=60, text_positions=16)
LENGTHS = (7, 2, 9)


def tower(**options: Any) -> BERTTextTower:
    """In double precision, with no weight left where it starts."""
    torch.manual_seed(0)
    built = BERTTextTower(**{**dict(architecture=MEASURES), **options}).double()
    with torch.no_grad():
        for value in built.parameters():
            value.add_(0.2 * torch.randn_like(value))
    return built


def expressions() -> ExpressionBatch:
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    ids = torch.randint(1, 60, mask.shape, generator=torch.Generator().manual_seed(1))
    return ExpressionBatch(ids * mask, mask, torch.arange(len(LENGTHS)))


def reference(mine: BERTTextTower) -> BertModel:
    """transformers' model with the same weights."""
    theirs = BertModel(BertConfig(
        vocab_size=60, hidden_size=24, num_hidden_layers=3, num_attention_heads=4, intermediate_size=40,
        max_position_embeddings=16), add_pooling_layer=False).double()
    state = {
        'embeddings.word_embeddings.weight': mine.word_embedding.weight,
        'embeddings.position_embeddings.weight': mine.positions,
        'embeddings.token_type_embeddings.weight': mine.types,
    }

    def copy(name: str, part: nn.Module) -> None:
        state.update({f'{name}.weight': part.weight, f'{name}.bias': part.bias})

    copy('embeddings.LayerNorm', mine.norm)
    for number, layer in enumerate(mine.layers):
        prefix = f'encoder.layer.{number}'
        parts = zip(('query', 'key', 'value'), layer.self_attn.in_proj_weight.chunk(3),
                    layer.self_attn.in_proj_bias.chunk(3))
        for name, weight, bias in parts:
            state.update({f'{prefix}.attention.self.{name}.weight': weight,
                          f'{prefix}.attention.self.{name}.bias': bias})
        copy(f'{prefix}.attention.output.dense', layer.self_attn.out_proj)
        copy(f'{prefix}.attention.output.LayerNorm', layer.norm1)
        copy(f'{prefix}.intermediate.dense', layer.linear1)
        copy(f'{prefix}.output.dense', layer.linear2)
        copy(f'{prefix}.output.LayerNorm', layer.norm2)
    theirs.load_state_dict({name: value.detach() for name, value in state.items()})
    return theirs.eval()


def both(mine: BERTTextTower) -> Tuple[Tensor, Tensor, Tensor]:
    """The words of both, and which are no padding."""
    asked = expressions()
    found = mine.encode(mine.embed(asked)).words
    theirs = reference(mine)(input_ids=asked.token_ids, attention_mask=asked.token_mask.long()).last_hidden_state
    return found, theirs, asked.token_mask


class TestAgainstTransformers:

    @pytest.mark.parametrize('gradients', [True, False])
    def test_words(self, gradients):
        """Also where PyTorch's own layers would take another way: in evaluation, without gradients."""
        with torch.set_grad_enabled(gradients):
            found, theirs, mask = both(tower().eval())
        assert_close(found[mask], theirs[mask], 1e-12)

    def test_gradients(self):
        mine = tower().eval()
        asked, theirs = expressions(), reference(mine)
        weights = torch.randn(len(LENGTHS), max(LENGTHS), 24, dtype=torch.float64) * asked.token_mask[..., None]
        (mine.encode(mine.embed(asked)).words * weights).sum().backward()
        found = theirs(input_ids=asked.token_ids, attention_mask=asked.token_mask.long()).last_hidden_state
        (found * weights).sum().backward()
        assert_close(mine.word_embedding.weight.grad, theirs.embeddings.word_embeddings.weight.grad, 1e-10)
        assert_close(mine.positions.grad, theirs.embeddings.position_embeddings.weight.grad, 1e-10)
        assert_close(mine.layers[0].linear1.weight.grad, theirs.encoder.layer[0].intermediate.dense.weight.grad, 1e-10)

    def test_sizes(self):
        with torch.device('meta'):
            mine, theirs = BERTTextTower(), BertModel(BertConfig(), add_pooling_layer=False)
        assert sum(value.numel() for value in mine.parameters()) == sum(value.numel() for value in theirs.parameters())


class TestForm:

    def test_features(self):
        found = tower().eval()
        text = found.encode(found.embed(expressions()))
        assert text.words_joint is text.words and torch.equal(text.sentence, text.words[:, 0])
        assert found.embed(expressions()).words.shape == (3, 9, 24) and found.word_channels == 24

    def test_padding_has_no_part(self):
        module, asked = tower().eval(), expressions()
        other = ExpressionBatch(torch.where(asked.token_mask, asked.token_ids, 5), asked.token_mask, asked.image_index)
        one, two = (module.encode(module.embed(given)).words[asked.token_mask] for given in (asked, other))
        assert torch.equal(one, two)

    def test_dropout(self):
        """As BERT's: behind embeddings, attention and feedforward, and in the weights of attention; not inside."""
        module = tower(dropout=0.25)
        rates = [one.p for one in module.modules() if isinstance(one, nn.Dropout)]
        assert rates == [0.25] * (1 + 2 * 3) and {layer.self_attn.dropout for layer in module.layers} == {0.25}
        assert all(isinstance(layer.dropout, nn.Identity) for layer in module.layers)
        torch.manual_seed(0)
        embeddings = module.embed(expressions())
        assert not torch.equal(module.train().encode(embeddings).words, module.encode(embeddings).words)
        assert torch.equal(module.eval().encode(embeddings).words, module.encode(embeddings).words)

    def test_activation_checkpointing(self):
        found = []
        for activation_checkpointing in (False, True):
            module = tower(activation_checkpointing=activation_checkpointing).train()
            torch.manual_seed(3)
            module.encode(module.embed(expressions())).words.square().sum().backward()
            found.append([value.grad for value in module.parameters()])
        assert all(torch.equal(one, other) for one, other in zip(*found))

    @pytest.mark.parametrize('ids, message', [
        (torch.ones(1, 17, dtype=torch.int64), 'Sentences have 17 tokens, but the text tower has 16 positions'),
        (torch.full((1, 3), 60), 'token id 60, .* of 60 tokens.* set vocabulary in the architecture of BERTTextTower'),
    ])
    def test_ids(self, ids, message):
        with pytest.raises(ValueError, match=message):
            tower().embed(ExpressionBatch(ids, ids > 0, torch.tensor([0])))

    def test_bad_architecture(self):
        with pytest.raises(ValueError, match='channels of the architecture must be a multiple of heads, but got 24'):
            BERTTextTower(architecture=dict(MEASURES, heads=5))
