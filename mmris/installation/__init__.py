"""What is installed, where, and what is wrong with it: for ``mmris doctor``.

Imports only Python's library, so that it works where anything else is missing or broken. What needs an import is asked
of another process (:mod:`.imports`).
"""

from .report import Problem, Section, format_sections

__all__ = ['Problem', 'Section', 'format_sections']
