"""Metrics of the server in the format of Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
CONFIDENCES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)


class Metrics:
    """Counters and histograms of one server, in a registry of its own."""

    def __init__(self):
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # CPU seconds and resident memory, on Linux
        to = {"registry": self.registry}
        self.requests = Counter("seqclr_requests", "Requests, by HTTP status", ["endpoint", "status"], **to)
        self.seconds = Histogram(
            "seqclr_request_seconds", "Time from the headers to the response", ["endpoint"], buckets=SECONDS, **to
        )
        self.confidence = Histogram(
            "seqclr_confidence", "Confidence of predictions", ["model"], buckets=CONFIDENCES, **to
        )
        self.refused = Counter("seqclr_predictions_refused", "Predictions that are not accepted", ["model"], **to)
        self.batches = Histogram("seqclr_batch_images", "Images per batch", ["model"], buckets=(1, 2, 4, 8, 16), **to)
        self.feedback = Counter("seqclr_feedback", "Predictions that clients report on", ["model", "outcome"], **to)
        self.lost = Counter("seqclr_feedback_lost", "Images with feedback that could not be kept", ["model"], **to)
        self.drift = Gauge(
            "seqclr_drift", "Evidence that the images have changed; from 1 on they have", ["model", "signal"], **to
        )
        self.reloads = Counter("seqclr_reloads", "Loads of replaced exports", ["model", "result"], **to)

    def text(self) -> bytes:
        return generate_latest(self.registry)
