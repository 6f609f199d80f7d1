"""The command line: what ``mmris`` and ``python -m mmris`` run. Imports nothing heavy before arguments have been read.

A command has two halves of one name. ``tools/`` declares its arguments. ``mmris.commands`` does its work and is
imported once arguments have been read.
"""

from .running import run_command

__all__ = ['run_command']
