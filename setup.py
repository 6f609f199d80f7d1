"""Package of mmris."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def read_version() -> str:
    """The version of `mmris/version.py`, without importing the package's dependencies."""
    scope: dict = {}
    exec((HERE / 'mmris' / 'version.py').read_text(), scope)
    return scope['__version__']


def read_requirements(name: str) -> list:
    """The lines of a requirements file, without comments."""
    lines = (HERE / 'requirements' / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith(('#', '-'))]


setup(
    name='mmris',
    version=read_version(),
    description='Referring image segmentation for the OpenMMLab toolchain',
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmris', 'mmris.*']),
    python_requires='>=3.10',
    install_requires=read_requirements('runtime.txt'),
    extras_require=dict(tests=read_requirements('tests.txt')),
)
