from .cris_decoder import CRISDecoder

__all__ = ['CRISDecoder']
