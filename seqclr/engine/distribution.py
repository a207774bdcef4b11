"""Devices and workers of a training: the strategy, and the rank of this process."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from typing import NamedTuple

import tensorflow as tf

from seqclr.errors import UserError


class Rank(NamedTuple):
    """The index of this worker and the number of workers. Worker 0 is the chief, which alone writes."""

    worker: int = 0
    workers: int = 1

    @property
    def chief(self) -> bool:
        return self.worker == 0


def find_rank(workers: str | None, worker: int) -> Rank:
    """The rank by a list of workers, or else by the environment variable TF_CONFIG; a single worker without either.

    workers: `host:port` of all workers, separated by commas, the same on all machines. worker: the index of this one.
    Raises UserError for an invalid list or TF_CONFIG.
    """
    if workers is None and worker:
        raise UserError(f"worker {worker}: give workers too, the list of all of them")
    if workers is not None:
        os.environ["TF_CONFIG"] = json.dumps(_task(workers, worker))
    try:
        task = json.loads(os.environ.get("TF_CONFIG") or "{}")
        jobs = {name: task.get("cluster", {}).get(name, []) for name in ("chief", "worker")}
        before = len(jobs["chief"]) if jobs["worker"] and task["task"]["type"] == "worker" else 0
        return Rank(before + task["task"]["index"], sum(map(len, jobs.values()))) if any(jobs.values()) else Rank()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"TF_CONFIG cannot be read ({error!r}): correct it, or give --workers and --worker") from None


def _task(workers: str, worker: int) -> dict:
    hosts = workers.split(",")
    for host in hosts:
        address = re.fullmatch(r"[^\s:]+:(\d{1,5})", host, re.ASCII)
        if address is None or not 1 <= int(address[1]) <= 65535:
            raise UserError(f"workers: '{host}' is not host:port, such as 10.0.0.1:2222, with a port of 1 to 65535")
    if len(set(hosts)) < len(hosts):
        raise UserError(f"workers '{workers}' names one twice")
    if not 0 <= worker < len(hosts):
        raise UserError(f"worker {worker}: 0 to {len(hosts) - 1}, as there are {len(hosts)} workers")
    return {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": worker}}


def choose_strategy(rank: Rank) -> tf.distribute.Strategy:
    """A mirrored strategy over all machines, or over the devices of this one; the default strategy for a single device.

    With several workers it waits for the others, and must be called before any other TensorFlow operation.
    """
    if rank.workers > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) > 1:
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


SINGLE = Rank()
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError,
        tf.errors.InternalError)  # fmt: skip


class Agreement:
    """Shares flags between workers, so that all of them stop after the same step."""

    def __init__(self, strategy: tf.distribute.Strategy):
        self.strategy = strategy
        self._sum = tf.function(lambda x: strategy.reduce("SUM", strategy.run(lambda each: each, (x,)), axis=None))

    def any(self, *flags: bool) -> list[bool]:
        """Whether each flag is set on any of the workers."""
        own = [float(flag) for flag in flags]
        spread = self.strategy.experimental_distribute_values_from_function(lambda _: tf.constant(own))
        return [bool(count) for count in self._sum(spread).numpy()]


def leave(status: int) -> None:
    """Exits where there are several workers: TensorFlow's own shutdown waits a minute for those that ended earlier."""
    rank = find_rank(None, 0)
    if rank.workers == 1:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    if status != 1:  # another worker may still be receiving the last sum
        time.sleep(2)
    os._exit(status)
