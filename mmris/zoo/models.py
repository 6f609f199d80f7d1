"""The form of a row of the zoo."""

from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath
from typing import Optional, Tuple, Union

#: A whole model, which a config builds, or towers, which an encoder's ``pretrained`` names.
MODEL, TOWERS = 'model', 'towers'
#: Whether the training saw images of a val or test split of RefCOCO, RefCOCO+ or RefCOCOg.
YES, NO, PARTLY, UNKNOWN = 'yes', 'no', 'partly', 'not known'


@dataclass(frozen=True, kw_only=True)
class PackageFile:
    """A file that is installed with mmris.

    Args:
        path (str): Where it lies in the package, such as ``zoo/weights/NAME.safetensors``.
        size (int, optional): Its bytes. Default: None, not known.
        sha256 (str, optional): Its SHA-256, in hexadecimal digits. Default: None, not known.
    """
    path: str
    size: Optional[int] = None
    sha256: Optional[str] = None

    @property
    def file(self) -> str:
        """str: Its name."""
        return PurePosixPath(self.path).name

    @property
    def place(self) -> str:
        """str: Where it is, for readers."""
        return f'mmris/{self.path} of the package'


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """A file on the Hugging Face hub, which mmris downloads.

    Args:
        repository (str): Such as ``timm/resnet50_clip.openai``.
        file (str): Its name there.
        revision (str): A commit, whose files never change, or a branch. Default: ``'main'``.
        size (int, optional): Its bytes. Default: None, not known.
        sha256 (str, optional): Its SHA-256, in hexadecimal digits. Default: None, not known.
    """
    repository: str
    file: str
    revision: str = 'main'
    size: Optional[int] = None
    sha256: Optional[str] = None

    @property
    def place(self) -> str:
        """str: Where it is, for readers."""
        return f'https://huggingface.co/{self.repository}/resolve/{self.revision}/{self.file}'


@dataclass(frozen=True, kw_only=True)
class OtherFile:
    """A file at another address, which the user downloads.

    Args:
        address (str): The file's address, or that of the page that links it.
        file (str): Its name.
        size (int, optional): Its bytes. Default: None, not known.
        sha256 (str, optional): Its SHA-256, in hexadecimal digits. Default: None, not known.
    """
    address: str
    file: str
    size: Optional[int] = None
    sha256: Optional[str] = None

    @property
    def place(self) -> str:
        """str: Where it is, for readers."""
        return self.address


@dataclass(frozen=True, kw_only=True)
class LocalFile:
    """A file, or a folder of weights, that the user has.

    Args:
        path (str): Where it lies.
        source (str): Where it can be fetched, for readers. Default: '', not known.
    """
    path: str
    source: str = ''
    size: None = None
    sha256: None = None

    @property
    def file(self) -> str:
        """str: Its name."""
        return PurePath(self.path).name

    @property
    def place(self) -> str:
        """str: Where it is, for readers."""
        return self.path


ZooFile = Union[PackageFile, HubFile, OtherFile, LocalFile]


@dataclass(frozen=True, kw_only=True)
class Score:
    """One number of a model.

    Args:
        data (str): Data set and split, such as ``RefCOCOg (umd) test``.
        metric (str): ``mIoU``, ``oIoU`` or ``Pr@0.5``.
        value (float): In percent.
        ours (bool): Whether we measured it. If not, it is the publisher's number. Default: False.
    """
    data: str
    metric: str
    value: float
    ours: bool = False

    def __str__(self) -> str:
        return f'{self.metric} {self.value:.2f} on {self.data} ({"ours" if self.ours else "published"})'


@dataclass(frozen=True, kw_only=True)
class ZooModel:
    """A row of the zoo: weights, and what is known of them.

    Args:
        name (str): What users write.
        kind (str): ``'model'``, a whole model, or ``'towers'``, for an encoder's ``pretrained``.
        config (str): A whole model's config, as ``mmris::...``. For towers: a config whose encoder they fill.
        weights (PackageFile, HubFile, OtherFile or LocalFile, optional): The weights. None: the model needs those of
            ``towers`` alone.
        licence (str): Of the weights.
        trained_on (str): The data, in a few words.
        test_images (str): Whether that holds images of a val or test split of RefCOCO, RefCOCO+ or RefCOCOg:
            ``'yes'``, ``'no'``, ``'partly'`` or ``'not known'``.
        link (str): The paper, or the page of the weights.
        vocabulary (PackageFile, HubFile, OtherFile or LocalFile, optional): The tokenizer's file. Default: None, the
            tokenizer needs none.
        scores (tuple[Score]): Published numbers, and ours. Default: none.
        towers (str, optional): Name of the towers that a model without ``weights`` needs. Default: None.
        published (str, optional): For weights in the layout of a published model: its name in
            :data:`mmris.checkpoints.PUBLISHED`. Default: None, our own layout.
        quick_gelu (bool, optional): Whether CLIP was trained with QuickGELU. Default: None, the weights do not ask.
        example_iou (float, optional): The least IoU, in percent, that the model reaches on the picture of
            ``mmris models --check``. Default: None, the picture is not what it was trained for.
        note (str): What else to know. Default: ''.
        folder (str, optional): The folder of a model that someone published with ``mmris push``, whose own config
            takes the place of ``config``. Default: None, the config is the project's.
    """
    name: str
    kind: str
    config: str
    weights: Optional[ZooFile]
    licence: str
    trained_on: str
    test_images: str
    link: str
    vocabulary: Optional[ZooFile] = None
    scores: Tuple[Score, ...] = ()
    towers: Optional[str] = None
    published: Optional[str] = None
    quick_gelu: Optional[bool] = None
    example_iou: Optional[float] = None
    note: str = ''
    folder: Optional[str] = None
