"""Bring ViLT's published weights, its own and Hugging Face's, to this project's layout, and ours to ViLT's.

    python tools/model_converters/convert_vilt.py vilt_200k_mlm_itm.ckpt vilt_base.safetensors
    python tools/model_converters/convert_vilt.py best_mIoU_epoch_35.pth vilt_finetuned.ckpt --to vilt
"""

from mmris.checkpoints import measure_vilt, read_vilt_weights
from mmris.checkpoints.joint_converting import JointConverter
from mmris.checkpoints.key_maps.vilt import find_foreign, to_vilt
from mmris.utils.tool import run_tool

if __name__ == '__main__':
    run_tool(JointConverter(
        name='ViLT',
        layout='vilt',
        formats=('ckpt', 'pth'),
        entry='state_dict',
        read=read_vilt_weights,
        measure=measure_vilt,
        to_theirs=to_vilt,
        find_foreign=find_foreign).main)
