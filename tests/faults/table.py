"""The faults, and what is to come of each."""

from typing import Dict, NamedTuple, Tuple

# Without a fault, the run that stopped is resumed and ends with the bits of one that did not.
STOPPED, FAILED, REFUSED, COMPLETED = 'stops with status 0', 'fails', 'is refused', 'goes on to its end'


class Fault(NamedTuple):
    """A fault.

    Attributes:
        what (str): What happens, for people.
        inject (dict): See :mod:`tests.faults.injector`. A rank of -1 stands for the last one.
        outcome (str): How the run ends.
        says (tuple[str]): Patterns that its output has.
        processes (tuple[int]): In how many processes it can happen.
        workers (int): Data workers a process.
        quick (bool): Whether `make test` tries it, in one process.
        tried (tuple[int]): In how many processes `make test-all` tries it too. The command tries all.
    """

    what: str
    inject: dict
    outcome: str
    says: Tuple[str, ...]
    processes: Tuple[int, ...] = (1, 2)
    workers: int = 0
    quick: bool = False
    tried: Tuple[int, ...] = ()


def at_step(do: str, step: int = 4, **more) -> dict:
    return dict(at='step', do=do, step=step, **more)


def write(path: str, errno: str = 'ENOSPC', **more) -> dict:
    return dict(call='write', path=path, errno=errno, **more)


LAST = -1
FAULTS: Dict[str, Fault] = dict(
    sigterm=Fault('SIGTERM to a process, within an epoch', at_step('signal_self', signal='SIGTERM', rank=LAST), STOPPED,
                  (r'SIGTERM received: finishing', r'Stopped by SIGTERM after step [56] of \d+\. All .*--resume'),
                  tried=(2, )),
    sigusr1=Fault('SIGUSR1 to the command (`sbatch --signal=USR1@120`)', at_step('signal_launcher', signal='SIGUSR1'),
                  STOPPED, (r'Stopped by SIGUSR1 after step [56] of', ), quick=True),
    sigterm_all=Fault('SIGTERM to all processes of the job, data workers too',
                      at_step('signal_all', signal='SIGTERM'), STOPPED, (r'Stopped by SIGTERM after step [56] of', ),
                      workers=2),
    sigterm_validation=Fault('SIGTERM in a validation',
                             dict(at='validation', do='signal_self', step=6, signal='SIGTERM'), STOPPED,
                             (r'Stopped by SIGTERM after step \d+ of', )),
    sigkill=Fault('SIGKILL of a process', at_step('signal_self', signal='SIGKILL'), FAILED, (), (1, )),
    sigkill_named=Fault('SIGKILL of one of two processes', at_step('signal_self', signal='SIGKILL', rank=1), FAILED,
                        (r'Rank 1 of this machine \(process \d+\) was ended by SIGKILL', r'--resume'), (2, ),
                        tried=(2, )),
    sigstop=Fault('SIGSTOP of one of two processes', at_step('signal_self', signal='SIGSTOP', rank=1), FAILED,
                  (r'No step has ended for 0\.3 minutes', r'Rank 1 \(process \d+ on .*gives no sign of life',
                   r'It was last in (step \d|an evaluation)', r'Thread .*\(most recent call first\)'), (2, )),
    hang_loading=Fault('Reading an image hangs in one of two processes',
                       dict(call='read', path=r'\.jpg$', file=11, seconds=3600, rank=1), FAILED,
                       (r'Rank 1 \(process \d+ on .*is waiting for the batch of step', r'in patched'), (2, ),
                       tried=(2, )),
    slow_step=Fault('Reading an image takes longer than the watchdog waits',
                    dict(call='read', path=r'\.jpg$', file=11, seconds=45), COMPLETED,
                    (r'No step has ended for 0\.3 minutes', r'in patched'), (1, )),
    worker_killed=Fault('SIGKILL of a data worker', at_step('kill_worker'), FAILED,
                        (r'A data worker is gone: DataLoader worker .*num_workers', ), workers=2, tried=(1, )),
    checkpoint_full=Fault('Disk full at a checkpoint', write(r'/\.epoch_2-'), REFUSED,
                          (r'epoch_2\.pth was not written: No space left on device\. Free space', ), quick=True),
    checkpoint_fails=Fault('I/O error at a checkpoint', write(r'/\.epoch_2-', 'EIO'), REFUSED,
                           (r'epoch_2\.pth was not written: Input/output error\. The disk', )),
    best_full=Fault('Disk full at the best checkpoint', write(r'/\.best_'), REFUSED,
                    (r'best_mIoU_epoch_\d\.pth was not written: No space', )),
    pointer_full=Fault('Disk full at `last_checkpoint`', write(r'/\.last_checkpoint-', file=2), REFUSED,
                       (r'last_checkpoint was not written: No space', )),
    scalars_full=Fault('Disk full at `scalars.json`', write(r'scalars\.json$'), COMPLETED,
                       (r'scalars\.json cannot be written \(No space left on device\)', )),
    log_full=Fault('Disk full at the log', write(r'\d\.log$', from_step=2), COMPLETED,
                   (r'\.log cannot be written \(No space', )),
    log_full_at_start=Fault('Disk full at the log, before the first step', write(r'\d\.log$'), REFUSED,
                            (r'The log in .* cannot be written: No space left on device', )),
    curves_full=Fault('Disk full at `curves.png`', write(r'/\.curves-'), COMPLETED,
                      (r'curves\.png was not drawn: .*No space left', )),
    rename=Fault('The file system renames over no existing file', dict(call='rename', errno='EEXIST'), COMPLETED, ()),
    no_locks=Fault('The file system has no locks', dict(call='lock', errno='ENOLCK'), COMPLETED,
                   (r'The file system of .* has no locks', )),
    read_only=Fault('The work folder is read-only', dict(call='access'), REFUSED,
                    (r'cannot be written: nothing may be written to .*Name another place', ), tried=(1, )),
    image_gone=Fault('Images are removed in mid-run', at_step('remove_images'), REFUSED,
                     (r'There is no image .*\.jpg', ), tried=(1, )),
    image_truncated=Fault('Images are truncated in mid-run', at_step('truncate_images'), REFUSED,
                          (r'COCO_train2014_\d+\.jpg is not a whole image file', )),
    image_fails=Fault('I/O error while an image is read', dict(call='read', path=r'\.jpg$', file=9, errno='EIO'),
                      REFUSED, (r'The image .*\.jpg cannot be read \(Input/output error\)', )),
    not_finite=Fault('A loss is NaN', at_step('spoil_batch'), FAILED, (r'The loss is not finite at step 5', ),
                     tried=(1, )),
    clock=Fault('The clock is set back a day', at_step('set_clock_back'), COMPLETED, ()),
)
