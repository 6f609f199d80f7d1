default_scope = 'mmris'
runner_type = 'ReferringRunner'
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=1),
    # Seconds after which communication gives up; WatchdogHook is to speak first.
    dist_cfg=dict(backend='nccl', timeout=1800))
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=True),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # The best checkpoint is picked on val, never on a test split.
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2, save_best='mIoU', rule='greater'),
    sampler_seed=dict(type='DistSamplerSeedHook'))
custom_hooks = [
    dict(type='RestartHook'),
    dict(type='NonFiniteLossHook'),
    # Pictures in the work folder: the same predictions at each validation, losses and metrics so far.
    dict(type='PredictionSheetHook'),
    dict(type='CurvesHook'),
    # SIGTERM and SIGUSR1 (sbatch --signal=USR1@120): finish the step, save, end; --resume continues.
    dict(type='PreemptionHook'),
    # A run that stands still says where; one of several processes ends, and names the one that the others wait for.
    dict(type='WatchdogHook', minutes=20),
]
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='Visualizer', vis_backends=vis_backends, name='visualizer')
log_processor = dict(
    by_epoch=True,
    window_size=50,
    # Means over the window. MMEngine's pattern, and what branches and the existence head measure.
    mean_pattern='.*(loss|time|data_time|grad_norm|target_share|existence|chance|masked_).*')
log_level = 'INFO'
# Masks and dropout are drawn apart on each rank.
randomness = dict(seed=0, diff_rank_seed=True)
load_from = None
resume = False
