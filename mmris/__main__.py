"""The commands, also where no console script is on the path:

    python -m mmris train mmris::cm_masksd/vit-tiny_shaperef.py
    torchrun --nproc-per-node 8 -m mmris train mmris::cm_masksd/vit-b_refcoco.py --launcher pytorch
"""

from mmris.command_line.main import main

if __name__ == '__main__':
    main()
