"""Measures of the toy models that take image and text as one sequence, for files in whichever published layout."""

LAYERS, CHANNELS, FEEDFORWARD, VOCABULARY, POSITIONS = 2, 16, 48, 30, 12
PATCH_SIZE, PATCHES = 8, 16
ARCHITECTURE = dict(
    layers=LAYERS,
    channels=CHANNELS,
    heads=2,
    feedforward_channels=FEEDFORWARD,
    patch_size=PATCH_SIZE,
    image_size=32,
    vocabulary=VOCABULARY,
    text_positions=POSITIONS)


def with_bias(name: str, shape: tuple) -> dict:
    """The shapes of a weight and of its bias, by their names."""
    return {f'{name}.weight': shape, f'{name}.bias': shape[:1]}
