"""Fuzzing of whatever reads files of strangers: ``python -m tests.fuzzing --help``."""
