"""Bring BEiT-3's published weights to this project's layout, and its own back.

    python tools/model_converters/convert_beit3.py beit3_base_patch16_224.pth beit3_base.safetensors
    python tools/model_converters/convert_beit3.py best_mIoU_epoch_35.pth beit3_finetuned.pth --to beit3
"""

from mmris.checkpoints import measure_beit3, read_beit3_weights
from mmris.checkpoints.joint_converting import JointConverter
from mmris.checkpoints.key_maps.beit3 import to_beit3
from mmris.utils.tool import run_tool

if __name__ == '__main__':
    run_tool(JointConverter(
        name='BEiT-3',
        layout='beit3',
        # What reads BEiT-3's own layout reads files of torch.save alone.
        formats=('pth', ),
        entry='model',
        read=read_beit3_weights,
        measure=measure_beit3,
        to_theirs=to_beit3,
        find_foreign=lambda state: []).main)
