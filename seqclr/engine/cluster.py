"""The devices that a training runs on: those of this machine, or those of several, and this one's part of the work."""

from __future__ import annotations

import json
import os
import re

import tensorflow as tf

from seqclr.errors import UserError


def choose_strategy(workers: str | None = None, worker: int = 0) -> tf.distribute.Strategy:
    """Mirrored over the devices of one machine where there are several, over all machines where they are told.

    workers: `host:port` of every machine, between commas, the same on all of them; worker: which of them this is.
    Without it, what the variable TF_CONFIG says. It must come before anything else that TensorFlow does. Raises
    UserError for a list that is none.
    """
    if workers is not None:
        os.environ["TF_CONFIG"] = json.dumps(task(workers, worker))
    if "worker" in json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {}):
        return tf.distribute.MultiWorkerMirroredStrategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) > 1:
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def task(workers: str, worker: int) -> dict:
    """What TF_CONFIG says for a list of workers."""
    hosts = workers.split(",")
    wrong = [host for host in hosts if not re.fullmatch(r"[^\s:]+:\d{1,5}", host)]
    if wrong:
        raise UserError(f"workers: '{wrong[0]}' is not host:port, such as 10.0.0.1:2222")
    if len(set(hosts)) < len(hosts):
        raise UserError(f"workers '{workers}' names a machine twice")
    if not 0 <= worker < len(hosts):
        raise UserError(f"worker {worker}: 0 to {len(hosts) - 1}, as there are {len(hosts)} workers")
    return {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": worker}}


def shard(strategy: tf.distribute.Strategy) -> tuple[int, int]:
    """Which part of the data this process reads, of how many."""
    workers = strategy.extended.worker_devices if is_shared(strategy) else ()
    if not workers:
        return 0, 1
    resolver = strategy.cluster_resolver
    hosts = resolver.cluster_spec().as_dict()["worker"]
    return resolver.task_id, len(hosts)


def is_shared(strategy: tf.distribute.Strategy) -> bool:
    """Whether other processes take part."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
