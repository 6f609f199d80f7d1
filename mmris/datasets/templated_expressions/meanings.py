"""What a sentence claims of an object, apart from its words."""

from typing import NamedTuple, Optional, Tuple


class Meaning(NamedTuple):
    """A claim that holds for one object of its category and clearly for no other.

    Attributes:
        kind (str): One of the keys of :data:`mmris.datasets.templated_expressions.phrasing.TEMPLATES`.
        where (str): A side (``'left'``, ``'right'``, ``'top'``, ``'bottom'``) or ``'big'`` or ``'small'``; ``''``
            where the kind has no such part.
        landmark (str, optional): Noun of the only object of another category that the claim names. Default: None.
    """

    kind: str
    where: str = ''
    landmark: Optional[str] = None

    @property
    def skills(self) -> Tuple[str, ...]:
        """tuple[str]: Sorted, of ``category``, ``place``, ``relation`` and ``size``: what the claim needs."""
        if self.kind == 'only':
            return ('category', )
        if self.landmark is not None:
            return 'category', 'relation'
        return ('category', 'size') if self.where in ('big', 'small') else ('category', 'place')
