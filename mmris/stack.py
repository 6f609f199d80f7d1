"""Which of the two OpenMMLab stacks is installed. Imports nothing that may be missing."""

from importlib import metadata

MAINTAINED_STACK = ('onedl-mmengine', 'onedl-mmcv', 'onedl-mmsegmentation')
ORIGINAL_STACK = ('mmengine', 'mmcv', 'mmsegmentation')
# Not needed, but overwritten just the same.
BESIDE = ('onedl-mmpretrain', 'mmpretrain')

# Spelled out: an installed package has no requirements/maintained_stack.txt, whose versions these are.
INSTALL_MAINTAINED = (
    'pip install onedl-mmengine==0.10.12 onedl-mmcv==2.3.6 onedl-mmsegmentation==1.4.2')


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
        ImportError: If a part of the original stack is missing; the message lists it.
        ImportError: If the maintained stack is missing, or a part of it; the message lists it.
    """
    maintained = [name for name in MAINTAINED_STACK if _is_installed(name)]
    original = [name for name in ORIGINAL_STACK if _is_installed(name)]
    beside = [name for name in BESIDE if _is_installed(name)]
    if maintained and original:
        raise ImportError(
            f'mmris found two OpenMMLab stacks that overwrite each other: {", ".join(maintained)} and '
            f'{", ".join(original)}. Uninstall both: `pip uninstall {" ".join(maintained + original + beside)}`. '
            f'Then install one: `{INSTALL_MAINTAINED}`.')
    wanted = ORIGINAL_STACK if original else MAINTAINED_STACK
    missing = [name for name in wanted if name not in maintained + original]
    if missing and original:
        raise ImportError(
            f'mmris found the original OpenMMLab stack without {", ".join(missing)}. Install what is missing, or '
            f'take the maintained stack: `pip uninstall {" ".join(original + beside)}`, then `{INSTALL_MAINTAINED}`.')
    if missing:
        raise ImportError(
            f'mmris needs an OpenMMLab stack, and does not find {", ".join(missing)}. '
            f'Install the maintained stack: `{INSTALL_MAINTAINED}`. If you have run make, activate its environment '
            f'instead: `. .venv/bin/activate`.')
