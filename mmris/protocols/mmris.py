"""The project's own protocol, the default: one bilinear resampling of probabilities to the original pixels."""

from .protocol import Protocol

MMRIS = Protocol('mmris')
