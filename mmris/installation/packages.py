"""Packages: which are there, in which versions, and which are missing, unfit or broken."""

import re
import sys
from importlib import metadata
from typing import List, Mapping, Optional

from mmris import stack
from mmris.version import __version__

from .report import Section

# Distributions that every use needs, and the modules that they bring.
NEEDED = {
    'torch': 'torch',
    'torchvision': 'torchvision',
    'open_clip_torch': 'open_clip',
    'timm': 'timm',
    'numpy': 'numpy',
    'opencv-python': 'cv2',
    'pillow': 'PIL',
    'pycocotools': 'pycocotools',
    'matplotlib': 'matplotlib',
    'fonttools': 'fontTools',
    'safetensors': 'safetensors',
    'scipy': 'scipy',
    'tokenizers': 'tokenizers',
    'sentencepiece': 'sentencepiece',
    'regex': 'regex',
    'huggingface_hub': 'huggingface_hub',
    'tqdm': 'tqdm',
    'wcwidth': 'wcwidth',
    'shtab': 'shtab',
}
# Other distributions of the same modules.
ALTERNATIVES = {
    'opencv-python': ('opencv-python-headless', 'opencv-contrib-python', 'opencv-contrib-python-headless'),
}
# Modules of either stack, by the ends of its distributions' names.
STACK_MODULES = {'mmengine': 'mmengine', 'mmcv': 'mmcv', 'mmsegmentation': 'mmseg'}
# What else is used if it is there: its module, what for, and how to get it.
OPTIONAL = {
    'pyarrow': ('pyarrow', 'data sets in Parquet', 'pip install "mmris[maintained,parquet]"'),
    'supervision': ('supervision', 'Prediction.to_supervision', 'pip install "mmris[maintained,supervision]"'),
    'gradio': ('gradio', 'mmris web', 'pip install "mmris[maintained,web]"'),
    'onnxscript': ('onnxscript', 'mmris export', 'pip install "mmris[maintained,export]"'),
    'onnxruntime': ('onnxruntime', 'exported models', 'pip install "mmris[maintained,export]"'),
    'tensorboard': ('tensorboard', '--track tensorboard', 'pip install "mmris[maintained,tracking]"'),
    'wandb': ('wandb', '--track wandb', 'pip install "mmris[maintained,tracking]"'),
}
INSTALL_ALL = 'pip install "mmris[maintained]"'


def version_of(distribution: str) -> Optional[str]:
    """The version of an installed distribution, or of one that brings the same module; None if there is none."""
    for name in (distribution, *ALTERNATIVES.get(distribution, ())):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def modules_to_import() -> List[str]:
    """The modules of what is installed, those that others build on first."""
    found = [module for name, module in NEEDED.items() if version_of(name) is not None]
    found += [module for name, module in STACK_MODULES.items()
              if version_of(name) is not None or version_of(f'onedl-{name}') is not None]
    return found + [module for name, (module, _, _) in OPTIONAL.items() if version_of(name) is not None]


def examine_versions(errors: Mapping[str, Optional[str]]) -> Section:
    """Look at Python and the packages that every use needs.

    Args:
        errors (Mapping[str, str or None]): What imports raised, as of :func:`.imports.import_packages`.

    Returns:
        Section: Versions; packages that are missing, cannot be imported, or have a version that does not fit.
    """
    section = Section('Packages', {'Python': f'{sys.version.split()[0]} ({sys.executable})', 'mmris': __version__})
    for name, module in NEEDED.items():
        version = version_of(name)
        section.facts[name] = version or 'missing'
        if version is None:
            section.blame(f'{name} is not installed.', f'Install it: `{INSTALL_ALL}`.')
        elif not _fits(name, version):
            section.blame(f'{name} {version} does not fit: mmris needs {_requirement(name)}.',
                          f'Install another version: `pip install "{_requirement(name)}"`.')
        _blame_import(section, name, module, errors, f'pip install --force-reinstall --no-deps {name}=={version}')
    return section


def examine_stack(errors: Mapping[str, Optional[str]]) -> Section:
    """Look at the OpenMMLab stack: which of the two there is, and whether it is complete and alone.

    Args:
        errors (Mapping[str, str or None]): See :func:`examine_versions`.
    """
    section = Section('OpenMMLab stack')
    tested = dict(requirement.split('==') for requirement in stack.INSTALL_MAINTAINED.split()[2:])
    found = {name: version_of(name) for name in (*stack.MAINTAINED_STACK, *stack.ORIGINAL_STACK)}
    found = {name: version for name, version in found.items() if version is not None}
    kinds = {'maintained' if name in stack.MAINTAINED_STACK else 'original' for name in found}
    section.facts['kind'] = ' and '.join(sorted(kinds)) or 'none'
    for name, version in found.items():
        differs = name in tested and version != tested[name]
        section.facts[name] = f'{version} (tested: {tested[name]})' if differs else version
    try:
        stack.check_stack()
    except ImportError as error:
        what, _, remedy = str(error).partition('. ')
        section.blame(f'{what}.', remedy)
        return section
    for name, module in STACK_MODULES.items():
        installed = next(one for one in found if one.removeprefix('onedl-') == name)
        _blame_import(section, installed, module, errors,
                      f'pip install --force-reinstall --no-deps {installed}=={found[installed]}')
    return section


def examine_optional(errors: Mapping[str, Optional[str]]) -> Section:
    """Look at packages that some uses need; one that is missing is not wrong.

    Args:
        errors (Mapping[str, str or None]): See :func:`examine_versions`.
    """
    section = Section('For some uses')
    for name, (module, purpose, command) in OPTIONAL.items():
        version = version_of(name)
        section.facts[name] = f'{version or "not installed"}: {purpose}' + ('' if version else f' (`{command}`)')
        if version is not None:
            _blame_import(section, name, module, errors, command)
    return section


def _blame_import(section: Section, name: str, module: str, errors: Mapping[str, Optional[str]], command: str) -> None:
    error = errors.get(module)
    if error is not None:
        section.facts[name] += ', cannot be imported'
        section.blame(f'{name} is installed, but `import {module}` fails: {error}', f'Install it again: `{command}`.')


def _requirement(distribution: str) -> str:
    """What mmris requires of a distribution, as pip takes it; its name alone if nothing is known."""
    try:
        lines = [line for line in metadata.requires('mmris') or () if 'extra ==' not in line]
    except metadata.PackageNotFoundError:
        # A checkout on the path.
        return distribution
    named = {_plain(re.match(r'[\w.-]+', line)[0]): line.partition(';')[0].strip() for line in lines}
    return named.get(_plain(distribution), distribution)


def _plain(name: str) -> str:
    return re.sub(r'[-_.]+', '-', name).lower()


def _fits(distribution: str, version: str) -> bool:
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return True
    return Requirement(_requirement(distribution)).specifier.contains(version, prereleases=True)
