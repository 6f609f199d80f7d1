"""The names that command lines list are those of the parts that they are about."""

from mmris import names
from mmris.benchmarks.cases import CASES
from mmris.checkpoints import PUBLISHED
from mmris.checkpoints.published.model import OURS
from mmris.datasets.downloading import DATA_SETS
from mmris.datasets.published_counts import PUBLISHED_SETS
from mmris.datasets.readers import FORMS
from mmris.utils.tracking import TRACKERS


def test_names_are_those_of_the_tables():
    assert names.FORM_TITLES == {form.name: form.title for form in FORMS.values()}
    assert names.DOWNLOADS == tuple(DATA_SETS)
    assert names.COUNTED_SETS == tuple(PUBLISHED_SETS)
    assert names.TRACKERS == tuple(TRACKERS)
    assert names.BENCHMARKS == tuple(CASES)


def test_published_models():
    assert names.PUBLISHED_NAMES == {
        name: names.PublishedNames(
            title=model.title,
            layouts=tuple(dict.fromkeys(layout.key_map.name for layout in model.layouts)),
            written=tuple(model.written),
            asks_activation=model.asks_activation,
            is_whole=model.whole)
        for name, model in PUBLISHED.items()
    }
    assert all(model.written[0] == OURS for model in names.PUBLISHED_NAMES.values())
