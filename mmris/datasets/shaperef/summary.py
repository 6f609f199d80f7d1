"""Counting what a ShapeRef set holds."""

from collections import Counter
from typing import Any, Dict, List

from .segmenter import Findings


def count_findings(findings: Findings) -> Dict[str, int]:
    """Count what was found on one image, as :func:`summarise` wants it."""
    return {
        'masks': len(findings.results),
        'missing': findings.missing,
        'doubled': findings.doubled,
        'false': findings.false,
    }


def summarise(counts: Dict[str, int], refs: List[Dict[str, Any]],
              found: Dict[str, Counter]) -> Dict[str, Dict[str, Any]]:
    """Count images, refs, sentences, skills and masks of each split.

    Args:
        counts: Images of each split.
        refs: The refs of the whole set.
        found: For each split the sums of :func:`count_findings`.

    Returns:
        For each split ``images``, ``refs``, ``sentences``, ``skills`` and ``instance_masks``. Sentences that do not fit
        exactly one object are among the skills, by their tags.
    """
    summary = {}
    for split, count in counts.items():
        of_split = [ref for ref in refs if ref['split'] == split]
        sentences = [sentence for ref in of_split for sentence in ref['sentences']]
        skills = Counter(skill for sentence in sentences for skill in sentence['skills'])
        summary[split] = {
            'images': count,
            'refs': len(of_split),
            'sentences': len(sentences),
            'skills': dict(sorted(skills.items())),
            'instance_masks': dict(found[split]),
        }
    return summary
