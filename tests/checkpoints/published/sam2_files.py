"""What a file of EVF-SAM with SAM 2 holds beside the weights of our model: by name and shape, from SAM 2's code."""

from typing import Dict, Tuple

Shapes = Dict[str, Tuple[int, ...]]


def with_bias(name: str, *shape: int) -> Shapes:
    return {f'{name}.weight': shape, f'{name}.bias': shape[:1]}


def left_out() -> Shapes:
    """By the keys of SAM 2 itself: what it remembers of videos, and prompts of other kinds."""
    return {**_memory_attention(), **_memory_encoder(), **_object_pointers(), **_prompts()}


def _memory_attention() -> Shapes:
    shapes = with_bias('memory_attention.norm', 256)
    for layer in (f'memory_attention.layers.{number}' for number in range(4)):
        for attention, width in (('self_attn', 256), ('cross_attn_image', 64)):
            for name, given in (('q', 256), ('k', width), ('v', width), ('out', 256)):
                shapes.update(with_bias(f'{layer}.{attention}.{name}_proj', 256, given))
        shapes.update(with_bias(f'{layer}.linear1', 2048, 256))
        shapes.update(with_bias(f'{layer}.linear2', 256, 2048))
        for number in (1, 2, 3):
            shapes.update(with_bias(f'{layer}.norm{number}', 256))
    return shapes


def _memory_encoder() -> Shapes:
    shapes = with_bias('memory_encoder.mask_downsampler.encoder.12', 256, 256, 1, 1)
    widths = (1, 4, 16, 64, 256)
    for number, (given, width) in enumerate(zip(widths, widths[1:])):
        shapes.update(with_bias(f'memory_encoder.mask_downsampler.encoder.{3 * number}', width, given, 3, 3))
        shapes.update(with_bias(f'memory_encoder.mask_downsampler.encoder.{3 * number + 1}', width))
    shapes.update(with_bias('memory_encoder.pix_feat_proj', 256, 256, 1, 1))
    shapes.update(with_bias('memory_encoder.out_proj', 64, 256, 1, 1))
    for layer in (f'memory_encoder.fuser.layers.{number}' for number in range(2)):
        shapes.update({**with_bias(f'{layer}.dwconv', 256, 1, 7, 7), **with_bias(f'{layer}.norm', 256)})
        shapes.update({**with_bias(f'{layer}.pwconv1', 1024, 256), **with_bias(f'{layer}.pwconv2', 256, 1024)})
        shapes[f'{layer}.gamma'] = (256, )
    return shapes


def _object_pointers() -> Shapes:
    shapes = with_bias('mask_downsample', 1, 1, 4, 4)
    for number in range(3):
        shapes.update(with_bias(f'obj_ptr_proj.layers.{number}', 256, 256))
    return {**shapes, 'maskmem_tpos_enc': (7, 1, 1, 64), 'no_mem_pos_enc': (1, 1, 256), 'no_obj_ptr': (1, 256)}


def _prompts() -> Shapes:
    encoder = 'sam_prompt_encoder'
    shapes: Shapes = {f'{encoder}.point_embeddings.{number}.weight': (1, 256) for number in range(4)}
    shapes[f'{encoder}.not_a_point_embed.weight'] = (1, 256)
    downscaling = {0: (4, 1, 2, 2), 1: (4, ), 3: (16, 4, 2, 2), 4: (16, ), 6: (256, 16, 1, 1)}
    for place, shape in downscaling.items():
        shapes.update(with_bias(f'{encoder}.mask_downscaling.{place}', *shape))
    return shapes
