"""What readers of people's own exports have in common: objects, each with its sentences, become refs."""

from typing import Any, Dict, Iterable, List, Optional

from mmris.datasets.problems import Problem, ProblemTally

from .content import Content, RawRef
from .own_images import OwnImages
from .own_splits import divide_images
from .source import Source


class OwnSet:
    """Collects objects with their sentences.

    Images, annotations, refs and sentences are numbered in the order in which they come.

    Args:
        source (Source): What the reader got: files, image folder and options.

    Attributes:
        images (OwnImages): The image files.
        left_out (ProblemTally): What does not become a ref.

    Raises:
        ValueError, FileNotFoundError: If there is no image folder.
    """

    def __init__(self, source: Source) -> None:
        self.images = OwnImages(source.image_folder, source.path)
        self.left_out = ProblemTally()
        self._source = source
        self._entries: Dict[str, dict] = {}
        self._annotations: List[dict] = []
        self._categories: Dict[str, int] = {}
        self._refs: List[RawRef] = []
        self._sentences = 0

    def leave_out(self, kind: str, entry: str, path: str, why: str) -> None:
        """Take note of what does not become a ref.

        Args:
            kind (str): What such entries are: ``'box'``.
            entry (str): This one: ``'region 5 of task 3'``.
            path (str): The file.
            why (str): What is missing, and what to do if it should not be left out; without a full stop.
        """
        self.left_out.report(Problem(kind, f'{path}: {entry}', f'{path}: {entry} {why}.'))

    def find_image(self, references: Iterable[str], entry: str, path: str) -> Optional[str]:
        """Find an image file by what an export calls it, the first of some names that is there.

        Args:
            references (Iterable[str]): What the export calls it.
            entry (str): What is about it.
            path (str): The export.

        Returns:
            str, optional: Its name below the image folder. None if there is none, which is taken note of.

        Raises:
            ValueError: If several files could be meant.
        """
        references = list(references)
        for reference in references:
            name = self.images.find(reference, f'{path}: {entry}')
            if name is not None:
                return name
        self.leave_out('image without a file', entry, path,
                       f'has the image {", ".join(references) or "of no name"}, which is not in {self.images.folder}')
        return None

    def add_annotation(self, image: str, segmentation: Any, label: str = 'object') -> int:
        """Add an object.

        Args:
            image (str): The image's name below the folder.
            segmentation (list or dict): Its COCO segmentation on the stored pixels.
            label (str): The name of its category. Default: 'object'.

        Returns:
            int: The id of its annotation.
        """
        annotation_id = len(self._annotations) + 1
        category = self._categories.setdefault(label, len(self._categories) + 1)
        self._annotations.append(
            dict(id=annotation_id, image_id=self._image_id(image), category_id=category, segmentation=segmentation))
        return annotation_id

    def add_ref(self, image: str, target: Any, sentences: List[str], *, path: str, place: str,
                split: Optional[str] = None) -> None:
        """Add sentences about one target.

        Args:
            image (str): The image's name below the folder.
            target (int or list): The id of its annotation; an empty list: nothing on the image fits.
            sentences (list[str]): As typed.
            path (str): The file that they are from.
            place (str): Where in the file.
            split (str, optional): Default: None, the split is drawn.
        """
        entries = []
        for text in sentences:
            self._sentences += 1
            entries.append(describe_sentence(self._sentences, text))
        ref = dict(
            ref_id=len(self._refs) + 1, ann_id=target, image_id=self._image_id(image), split=split, file_name=image,
            sentences=entries)
        self._refs.append(RawRef(path, place, ref))

    def _image_id(self, name: str) -> int:
        if name not in self._entries:
            header = self.images.header(name)
            self._entries[name] = dict(
                id=len(self._entries) + 1, file_name=name, height=header.height, width=header.width)
        return self._entries[name]['id']

    def content(self) -> Content:
        """Divide the images whose split is not known into splits.

        Returns:
            Content: All that was added.

        Raises:
            ValueError: If nothing was added; the message says what was left out.
            ValueError: If an option of the splits has no such value, or there are too few images.
        """
        if not self._refs:
            lines = '; '.join(self.left_out.lines('left out')) or 'It is empty.'
            raise ValueError(f'{self._source.path} has no mask with a sentence on an image of {self.images.folder}. '
                             f'{lines}')
        # An image of which one ref has a split goes there with the others.
        splits = {one.ref['file_name']: one.ref['split'] for one in self._refs if one.ref['split'] is not None}
        free = [name for name in self._entries if name not in splits]
        splits.update(divide_images(free, self._source.options, self._source.path))
        for one in self._refs:
            if one.ref['split'] is None:
                one.ref['split'] = splits[one.ref['file_name']]
        instances = dict(
            images=list(self._entries.values()),
            annotations=self._annotations,
            categories=[dict(id=number, name=name) for name, number in self._categories.items()])
        return Content(self._refs, instances, self.left_out)


def describe_sentence(sent_id: Any, text: str) -> Dict[str, Any]:
    """Make the entry of a sentence that a person typed.

    Args:
        sent_id (int or str): Its id.
        text (str): As typed.

    Returns:
        dict: ``sent_id``; ``raw``, the text; and ``sent``, the text in lower case with single blanks between its words.
    """
    return dict(sent_id=sent_id, raw=text, sent=' '.join(text.lower().split()))


def split_lines(text: Optional[str]) -> List[str]:
    """Take the sentences out of a field of text, one a line.

    Args:
        text (str, optional): The field.

    Returns:
        list[str]: Its lines, without spaces at their ends and without empty lines.
    """
    return [line.strip() for line in (text or '').splitlines() if line.strip()]
