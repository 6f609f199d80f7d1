"""Readers: one for each form in which sets are held. Each makes the content of the REFER files of it."""

from .content import Content, RawRef
from .form import Form, UnfitForm
from .forms import FORMS, describe_value, find_form
from .reading import describe_other_form, read_content, recognise_form
from .source import Source, SourceFile, find_files

__all__ = [
    'FORMS', 'Content', 'Form', 'RawRef', 'Source', 'SourceFile', 'UnfitForm', 'describe_other_form', 'describe_value',
    'find_files', 'find_form', 'read_content', 'recognise_form'
]
