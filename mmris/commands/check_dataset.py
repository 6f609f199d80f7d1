"""The work of ``mmris check_dataset``."""

import argparse
import json
import os
import re
from pathlib import Path
from typing import Any, Dict, Optional

from mmris.datasets.data_files import REFS_SUFFIXES
from mmris.datasets.instance_masks import complete_settings
from mmris.datasets.published_counts import PUBLISHED_SETS, PublishedSet, recognise_set
from mmris.datasets.set_check import check_set, format_report
from mmris.names import IMAGE_FOLDERS
from mmris.utils import type_name, write_atomically
from mmris.utils.configs import LOADERS, check_output, read_config


def main(options: argparse.Namespace) -> int:
    check_output(options.out)
    places = locate_set(options)
    report = check_set(**places, published=choose_published(options.set, places['refs_path']), decode=options.decode)
    print(format_report(report))
    if options.out is not None:
        with write_atomically(options.out) as temporary:
            temporary.write_text(json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + '\n', encoding='utf-8')
    return 0 if report.is_fine else 1


def locate_set(options: argparse.Namespace) -> Dict[str, Any]:
    """Where the set lies: by the config, by the command line, and by how sets are laid out.

    Raises:
        ValueError: If there is neither config nor --data-root, or --cfg-options without a config.
        ValueError: If the config's data set is not of one refs file, or its instance masks have unknown settings.
        ValueError: If the refs file is not named and the folder has none, or several.
        FileNotFoundError: If there is no such config or folder.
    """
    if options.config is None and options.cfg_options is not None:
        raise ValueError('--cfg-options changes a config: name one.')
    if options.config is not None:
        found = set_of_config(options)
    elif options.data_root is not None:
        found = dict(data_root=options.data_root)
    else:
        raise ValueError('Name the set to check: --data-root data/refcoco, or a config.')
    root = found['data_root']
    if not os.path.isdir(root):
        raise FileNotFoundError(f'There is no folder {root}. --data-root is the folder with instances.json.')
    image_folder = options.image_folder or found.get('image_folder') or next(
        (one for one in IMAGE_FOLDERS if os.path.isdir(os.path.join(root, one))), IMAGE_FOLDERS[0])
    return dict(
        instances_path=os.path.join(root, options.ann_file or found.get('ann_file') or 'instances.json'),
        refs_path=os.path.join(root, options.refs_file or found.get('refs_file') or only_refs_file(root)),
        image_folder=os.path.normpath(os.path.join(root, image_folder)),
        text_field=options.text_field or found.get('text_field') or 'sent',
        upright=options.upright or found.get('upright', False),
        instance_masks=found.get('instance_masks'),
        exclude=found.get('exclude'),
        data_root=root)


def set_of_config(options: argparse.Namespace) -> Dict[str, Any]:
    config = read_config(options)
    dataset = next((config[name].dataset for name in LOADERS if name in config), {})
    if 'refs_file' not in dataset:
        raise ValueError(f'The data set of {options.config} is not of one refs file: name each by --data-root and '
                         f'--refs-file instead.')
    keys = ('data_root', 'refs_file', 'ann_file', 'text_field', 'exclude')
    named = {key: dataset[key] for key in keys if key in dataset}
    if dataset.get('instance_masks') is not None:
        masks = complete_settings(dataset.instance_masks)
        named['instance_masks'] = dict(masks, file=os.path.join(dataset.get('data_root', ''), masks['file']))
    upright = any(type_name(step) == 'LoadImage' and step.get('upright') for step in dataset.get('pipeline', ()))
    return dict(named, image_folder=dataset.get('data_prefix', {}).get('img_path'), upright=upright)


def only_refs_file(root: str) -> str:
    """Find the refs file of a folder: ``refs(unc).p``, ``grefs(unc).json``, ``Ref-ZOM(final).p``."""
    names = sorted(path.name for path in Path(root).iterdir() if path.suffix.lower() in REFS_SUFFIXES)
    names = [name for name in names if 'refs' in name or re.fullmatch(r'.+\(\w+\)\.\w+', name)]
    if len(names) != 1:
        there = f'these: {", ".join(names)}' if names else 'none'
        raise ValueError(f'--refs-file says which refs file of {root} is meant; there are {there}.')
    return names[0]


def choose_published(name: Optional[str], refs_path: str) -> Optional[PublishedSet]:
    if name is None:
        return recognise_set(refs_path)
    return None if name == 'none' else PUBLISHED_SETS[name]
