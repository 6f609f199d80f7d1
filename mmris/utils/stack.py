"""Which of the two OpenMMLab stacks is installed."""

from importlib import metadata

MAINTAINED_STACK = ('onedl-mmengine', 'onedl-mmcv', 'onedl-mmsegmentation')
ORIGINAL_STACK = ('mmengine', 'mmcv', 'mmsegmentation')

_INSTALL_HINT = 'pip install -r requirements/maintained_stack.txt'


def _is_installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def check_stack() -> None:
    """Check that exactly one complete OpenMMLab stack is installed.

    The maintained distributions (``onedl-*``) and the original ones provide the same import names, so that one
    installed over the other overwrites its files.

    Raises:
        ImportError: If distributions of both stacks are installed.
        ImportError: If neither stack is installed completely; the message lists what is missing.
    """
    maintained = [name for name in MAINTAINED_STACK if _is_installed(name)]
    original = [name for name in ORIGINAL_STACK if _is_installed(name)]
    if maintained and original:
        raise ImportError(
            f'mmris found two OpenMMLab stacks that overwrite each other: {", ".join(maintained)} and '
            f'{", ".join(original)}. Uninstall both (`pip uninstall {" ".join(maintained + original)}`), '
            f'then install one: `{_INSTALL_HINT}`.')
    wanted = ORIGINAL_STACK if original else MAINTAINED_STACK
    missing = [name for name in wanted if name not in maintained + original]
    if missing:
        raise ImportError(
            f'mmris needs an OpenMMLab stack, but {", ".join(missing)} is not installed. '
            f'Install the maintained one: `{_INSTALL_HINT}`.')
