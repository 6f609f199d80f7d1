"""The work of ``mmris doctor``."""

import argparse
import json
from dataclasses import asdict
from typing import List

from mmris.installation import Section, format_sections
from mmris.installation.caches import examine_caches
from mmris.installation.devices import examine_devices, find_driver
from mmris.installation.environment import examine_environment
from mmris.installation.fonts import examine_fonts
from mmris.installation.imports import import_packages
from mmris.installation.licences import format_licences, licences_as_json, list_licences
from mmris.installation.packages import examine_optional, examine_stack, examine_versions, modules_to_import


def main(options: argparse.Namespace) -> int:
    if options.licences:
        licences = list_licences()
        print(licences_as_json(licences) if options.json else format_licences(licences))
        return 0
    sections = examine()
    if options.json:
        print(json.dumps(dict(sections=[asdict(section) for section in sections]), indent=2))
    else:
        print(format_sections(sections))
    return 1 if any(section.problems for section in sections) else 0


def examine() -> List[Section]:
    """Look at all that mmris needs."""
    found = import_packages(modules_to_import())
    return [
        examine_versions(found['errors']),
        examine_stack(found['errors']),
        examine_optional(found['errors']),
        examine_devices(found['cuda'], find_driver()),
        examine_caches(),
        examine_fonts(found['fonts']),
        examine_environment(),
    ]
