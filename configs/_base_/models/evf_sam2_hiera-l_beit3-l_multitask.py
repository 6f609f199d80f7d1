# EVF-SAM on SAM 2's Hiera-L and BEiT-3 large, as the multitask model chooses among masks and scores them.
_base_ = './evf_sam2_hiera-l_beit3-l.py'
model = dict(head=dict(mask='best'), protocol='evf_sam2_multitask')
