"""The checkpoints that trainings leave: which one to resume from, parts saved apart."""

from .finding import (
    POINTER,
    PREEMPTED,
    best_checkpoint,
    find_checkpoints,
    find_within_epoch,
    last_whole_checkpoint,
    name_within_epoch,
    remove_temporary_files,
    resolve_load_from,
)
from .frozen_parts import (
    EXCLUDED_PARTS,
    check_frozen,
    digest_parts,
    exclude_parts,
    find_excludable_parts,
    find_uninitialized_frozen,
    load_pretrained,
    pretrained_parts,
    read_excluded_parts,
    restore_excluded_parts,
)
from .initial import check_initial_checkpoints, find_initial_checkpoints, note_initial_checkpoints

__all__ = [
    'EXCLUDED_PARTS', 'POINTER', 'PREEMPTED', 'best_checkpoint', 'check_frozen', 'check_initial_checkpoints',
    'digest_parts', 'exclude_parts', 'find_checkpoints', 'find_excludable_parts', 'find_initial_checkpoints',
    'find_uninitialized_frozen', 'find_within_epoch', 'last_whole_checkpoint', 'load_pretrained', 'name_within_epoch',
    'note_initial_checkpoints', 'pretrained_parts', 'read_excluded_parts', 'remove_temporary_files',
    'resolve_load_from', 'restore_excluded_parts'
]
