"""The page: what is on it, and what happens when a visitor does something."""

import traceback
from html import escape
from pathlib import Path
from typing import Any, Callable, Dict

import gradio as gr

from mmris.utils.tool import is_user_error
from mmris.zoo import find_model

from .answers import describe_files
from .bounded_queue import bound_queue
from .examples import EXAMPLES, FOLDER
from .service import Service, Shown

CSS = Path(__file__).with_name('page.css').read_text()
# Fonts of the visitor's system: no server is asked for others.
THEME = gr.themes.Default(
    primary_hue='teal', font=['system-ui', 'sans-serif'], font_mono=['ui-monospace', 'monospace']).set(
        block_info_text_color='*neutral_600', block_info_text_color_dark='*neutral_300')
HEADING = ('<h1>mmris: segment what a sentence means</h1><p>Drop a picture, write what to look for, and get a mask for '
           'each sentence.</p>')
THRESHOLD = 'a pixel above this probability belongs to the mask'
FIXED_THRESHOLD = 'the protocol of this model allows no other'
# One model runs at a time; masks of other thresholds are drawn beside it.
MODEL_RUNS, DRAWINGS = 1, 4


class Page:
    """The page of a service.

    Attributes:
        blocks (Blocks): What Gradio serves.

    Args:
        service (Service): What answers.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        # Pictures that are served where they lie.
        gr.set_static_paths([FOLDER])
        with gr.Blocks(title='mmris', analytics_enabled=False, fill_width=True) as self.blocks:
            gr.HTML(HEADING, elem_id='heading')
            self._message = gr.HTML(elem_id='message')
            with gr.Row(equal_height=False):
                with gr.Column():
                    self._add_question()
                with gr.Column():
                    self._add_answer()
            self._listen()
        # Of each page, Gradio keeps what was typed.
        self.blocks.state_session_capacity = 4 * service.limits.visitors
        self.blocks.queue(max_size=32, default_concurrency_limit=DRAWINGS)
        bound_queue(self.blocks)

    def _add_question(self) -> None:
        names, limits = self._service.models.names, self._service.limits
        self._picture = gr.Image(
            label=f'Picture, up to {limits.describe_picture()}',
            sources=['upload', 'clipboard'],
            type='filepath',
            height=270,
            buttons=[],
            elem_id='picture')
        self._examples = gr.Dataset(
            label='Examples',
            components=[gr.Image(visible=False, type='filepath')],
            samples=[[str(example.path)] for example in EXAMPLES],
            type='index',
            layout='gallery',
            elem_id='examples')
        self._sentences = gr.Textbox(
            label='Sentences, one a line',
            lines=3,
            max_lines=limits.sentences,
            placeholder='the dog on the left\nthe red cup',
            elem_id='sentences')
        self._model = gr.Dropdown(
            [(_describe(name), name) for name in names], value=names[0], label='Model', filterable=False,
            elem_id='model')
        self._find = gr.Button('Find', variant='primary', elem_id='find')

    def _add_answer(self) -> None:
        self._drawn = gr.Image(
            label='Masks', type='filepath', interactive=False, height=340, buttons=['fullscreen'], elem_id='drawn')
        self._text = gr.HTML(elem_id='answers')
        self._threshold = gr.Slider(
            0, 0.99, value=0.35, step=0.01, label='Mask threshold', info=THRESHOLD, elem_id='threshold')
        # Shown with the first answer of a model that has an existence head.
        self._existence = gr.Slider(
            0.01, 0.99, value=0.5, step=0.01, label='Existence threshold', info='the model must be as sure as this '
            'that something fits', visible='hidden', elem_id='existence')
        self._save = gr.Button('Make files to download', elem_id='save')
        self._files = gr.HTML(elem_id='files')

    def _listen(self) -> None:
        shown = [self._message, self._drawn, self._text, self._threshold, self._existence, self._files]
        asked = [self._model, self._sentences]
        thresholds = [self._threshold, self._existence]
        hidden = dict(api_visibility='private', show_progress='hidden')
        runs = dict(api_visibility='private', concurrency_id='model', concurrency_limit=MODEL_RUNS, outputs=shown,
                    show_progress_on=[self._drawn])
        # Undecoded: the service looks at the size first.
        self._picture.upload(self._take, [self._picture], [self._picture, *shown], preprocess=False, **hidden)
        self._picture.clear(self._drop, None, shown, **hidden)
        chosen = self._examples.click(
            self._choose, [self._examples], [self._picture, self._sentences, *shown], **hidden)
        chosen.success(self._ask, asked, **runs)
        gr.on([self._find.click, self._sentences.submit], self._ask, asked, **runs)
        gr.on([slider.input for slider in thresholds], self._redraw, thresholds, shown, trigger_mode='always_last',
              **hidden)
        self._save.click(self._write, None, [self._message, self._files], api_visibility='private')
        self.blocks.unload(self._leave)

    def _take(self, uploaded: Any, request: gr.Request) -> Dict:

        def take() -> Dict:
            path = Path(uploaded['path'])
            try:
                content = path.read_bytes()
            except FileNotFoundError as error:
                raise ValueError('The upload was too long ago. Drop the picture again.') from error
            shown = self._service.take(request.session_hash, content, uploaded.get('orig_name') or path.name)
            return {self._picture: shown, **self._no_answer()}

        return self._try(take, {self._picture: None, **self._no_answer()})

    def _drop(self, request: gr.Request) -> Dict:
        self._service.drop(request.session_hash)
        return {self._message: '', **self._no_answer()}

    def _choose(self, place: int, request: gr.Request) -> Dict:

        def choose() -> Dict:
            example = EXAMPLES[place]
            shown = self._service.take(request.session_hash, example.path.read_bytes(), example.path.name)
            return {self._picture: shown, self._sentences: '\n'.join(example.sentences), **self._no_answer()}

        return self._try(choose)

    def _ask(self, model: str, text: str, request: gr.Request) -> Dict:
        return self._try(lambda: self._show(self._service.ask(request.session_hash, model, text)))

    def _redraw(self, threshold: float, existence_threshold: float, request: gr.Request) -> Dict:

        def redraw() -> Dict:
            updates = self._show(self._service.redraw(request.session_hash, threshold, existence_threshold))
            # The visitor may be moving them on.
            return {part: update for part, update in updates.items() if part not in (self._threshold, self._existence)}

        return self._try(redraw)

    def _write(self, request: gr.Request) -> Dict:
        return self._try(lambda: {self._files: describe_files(self._service.save(request.session_hash))})

    def _leave(self, request: gr.Request) -> None:
        self._service.leave(request.session_hash)

    def _show(self, shown: Shown) -> Dict:
        existence = shown.existence_threshold
        return {
            self._drawn: shown.picture,
            self._text: shown.text,
            self._threshold: gr.update(
                value=shown.threshold,
                interactive=not shown.fixed_threshold,
                info=FIXED_THRESHOLD if shown.fixed_threshold else THRESHOLD),
            self._existence: gr.update(visible='hidden') if existence is None else gr.update(
                value=existence, visible=True),
            self._files: '',
        }

    def _no_answer(self) -> Dict:
        return {self._drawn: None, self._text: '', self._files: ''}

    def _try(self, act: Callable[[], Dict], otherwise: Dict = {}) -> Dict:
        """What is to change on the page, with a message if something went wrong."""
        try:
            return {self._message: '', **act()}
        except Exception as error:
            if is_user_error(error):
                said = str(error)
            else:
                traceback.print_exc()
                said = 'Something went wrong on the server. Its terminal shows what.'
            return {self._message: f'<div class="message" role="alert">{escape(said)}</div>', **otherwise}


def _describe(name: str) -> str:
    """A model's name, with what it was trained on if it is of the zoo."""
    model = find_model(name, hub=True)
    return name if model is None or model.folder is not None else f'{name}, trained on {model.trained_on}'
