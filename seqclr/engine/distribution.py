"""The devices that a training runs on: those of this machine or of several, and this process's part of the work."""

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
    """Which of the workers this process is, and how many there are. The first is the chief, who alone writes."""

    worker: int = 0
    workers: int = 1

    @property
    def chief(self) -> bool:
        return self.worker == 0


def find_rank(workers: str | None, worker: int) -> Rank:
    """The place that a list of workers gives, or else the variable TF_CONFIG; alone where there is neither.

    workers: `host:port` of all of them, between commas, the same on all machines. worker: which of them this is.
    Raises UserError for a list that is none.
    """
    if workers is None and worker:
        raise UserError(f"worker {worker}: give with workers the list that it is one of")
    if workers is not None:
        os.environ["TF_CONFIG"] = json.dumps(_task(workers, worker))
    try:
        told = json.loads(os.environ.get("TF_CONFIG") or "{}")
        jobs = {name: told.get("cluster", {}).get(name, []) for name in ("chief", "worker")}
        before = len(jobs["chief"]) if jobs["worker"] and told["task"]["type"] == "worker" else 0
        return Rank(before + told["task"]["index"], sum(map(len, jobs.values()))) if any(jobs.values()) else Rank()
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
    """Mirrored over all machines, or over the devices of this one where there are several, or the default one.

    It waits for the other workers, and must come before anything else that TensorFlow computes.
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
    """What any of the workers has seen, told to all of them: so that all stop after the same step."""

    def __init__(self, strategy: tf.distribute.Strategy):
        self.strategy = strategy
        self._sum = tf.function(lambda x: strategy.reduce("SUM", strategy.run(lambda each: each, (x,)), axis=None))

    def any(self, *flags: bool) -> list[bool]:
        own = [float(flag) for flag in flags]
        spread = self.strategy.experimental_distribute_values_from_function(lambda _: tf.constant(own))
        return [bool(count) for count in self._sum(spread).numpy()]


def leave(status: int) -> None:
    """Ends this process, where there are others: TensorFlow's own end waits for a minute for those that were faster."""
    rank = find_rank(None, 0)
    if rank.workers == 1:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    if status != 1:  # the last sum that all made may still be on its way to another
        time.sleep(2)
    os._exit(status)
