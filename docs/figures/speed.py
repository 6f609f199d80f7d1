"""Draw the ratios of ``bench.json`` beside what arithmetic allows: ``python docs/figures/speed.py``."""

import json
from pathlib import Path
from typing import Dict

from matplotlib.figure import Figure

from mmris.visualization.plots import FAINT_TEXT, LABEL_SIZE, LINE_COLOURS, TEXT, save_figure, style_axes, title_figure

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / 'docs/images/speed.png'
# Those that have a bound, by what is compared.
LABELS = dict(
    sentences='CM-MaskSD ViT-B: 7 sentences together,\nnot one by one',
    sentences_cris='CRIS RN101: 7 sentences together,\nnot one by one',
    grouping='CM-MaskSD ViT-B, training: 4 sentences\nof one image, not of 4 images',
    grouping_cris='CRIS RN101, training: 4 sentences\nof one image, not of 4 images',
    branches='CM-MaskSD ViT-B, training: with both\nbranches, not without')


def draw_speed(results: Dict[str, dict]) -> Figure:
    """Draw a bar for each ratio, and a line where multiply-adds put it."""
    figure = Figure(figsize=(8, 4.4))
    title_figure(figure, 'How fast is it, beside what arithmetic allows?',
                 'Bars: ratio of times, measured on one core. Lines: ratio of multiply-adds.\n'
                 'Blue: time saved, higher is better. Orange: what the branches cost, lower is better.')
    axes = figure.add_axes((0.43, 0.12, 0.53, 0.66))
    style_axes(axes, '', x_label='ratio of times')
    axes.grid(False)
    axes.spines['bottom'].set_visible(False)
    axes.set_xticks([])
    places = range(len(LABELS) - 1, -1, -1)
    for place, name in zip(places, LABELS):
        found = results[name]
        colour = LINE_COLOURS[1] if name == 'branches' else LINE_COLOURS[0]
        axes.barh(place, found['ratio'], height=0.5, color=colour)
        axes.plot([found['bound']] * 2, [place - 0.36, place + 0.36], color=TEXT, linewidth=2)
        end = max(found['ratio'], found['bound'])
        axes.text(end + 0.06, place, f'{found["ratio"]:.2f} (bound {found["bound"]:.2f})', va='center',
                  fontsize=LABEL_SIZE + 1, color=TEXT)
    axes.set_yticks(places, LABELS.values(), fontsize=LABEL_SIZE + 1, color=TEXT)
    axes.set_xlim(0, 3.3)
    axes.axvline(1, color=FAINT_TEXT, linewidth=0.8, linestyle=':')
    return figure


def main() -> None:
    results = json.loads((ROOT / 'bench.json').read_text(encoding='utf-8'))['results']
    save_figure(draw_speed(results), OUT)
    print(OUT.relative_to(ROOT))


if __name__ == '__main__':
    main()
