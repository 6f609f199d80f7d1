"""Package of mmris."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
# What OpenMMLab's tools look for in an installed package, in its folder `.mim`.
CARRIED = ('configs', 'tools', 'model-index.yml')


def read_version() -> str:
    """The version of `mmris/version.py`, without importing the package's dependencies."""
    scope: dict = {}
    exec((HERE / 'mmris' / 'version.py').read_text(), scope)
    return scope['__version__']


def read_requirements(name: str) -> list:
    """The lines of a requirements file, without comments."""
    lines = (HERE / 'requirements' / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith(('#', '-'))]


class BuildWithConfigs(build_py):
    """Copies configs and tools into the build alone: the tree stays as it is, and an editable install reads it."""

    def run(self) -> None:
        package = Path(self.build_lib) / 'mmris'
        if not getattr(self, 'editable_mode', False):
            # Files that are gone from the tree must not come along from an earlier build.
            shutil.rmtree(package, ignore_errors=True)
        super().run()
        if not getattr(self, 'editable_mode', False):
            for name in CARRIED:
                self.carry(HERE / name, package / '.mim' / name)

    @staticmethod
    def carry(source: Path, target: Path) -> None:
        """Copy a file, or a folder without its bytecode."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns('__pycache__', '*.py[cod]'))
        else:
            shutil.copy2(source, target)


tests, tracking = read_requirements('tests.txt'), read_requirements('optional.txt')
setup(
    name='mmris',
    version=read_version(),
    description='Referring image segmentation for the OpenMMLab toolchain',
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    keywords=['referring image segmentation', 'vision and language', 'computer vision', 'OpenMMLab', 'MMSegmentation'],
    classifiers=[
        'Development Status :: 3 - Alpha',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Programming Language :: Python :: 3.14',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    packages=find_packages(include=['mmris', 'mmris.*']),
    # Spelled out, an editable install puts the checkout on the path. Otherwise Python takes a folder called mmris that
    # a script is started from, such as the one that holds the checkout, for the package.
    package_dir={'': '.'},
    package_data={'mmris': [
        'datasets/vocabularies/*.txt', 'web/*.css', 'web/examples/*.jpg', 'zoo/*.jpg', 'zoo/*.png',
        'zoo/weights/*.safetensors']},
    entry_points=dict(console_scripts=['mmris = mmris.command_line.main:main']),
    python_requires='>=3.11',
    # Neither OpenMMLab stack: one over the other overwrites its files. `maintained` asks for the tested one.
    install_requires=read_requirements('runtime.txt'),
    extras_require=dict(
        maintained=read_requirements('maintained_stack.txt'),
        tests=tests,
        tracking=tracking,
        supervision=['supervision>=0.31'],
        parquet=['pyarrow'],
        web=['gradio>=6.17,<7'],
        export=['onnx', 'onnxruntime', 'onnxscript'],
        all=[*tests, *tracking]),
    cmdclass=dict(build_py=BuildWithConfigs),
)
