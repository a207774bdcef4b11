"""Changes of a site are reported in words, and a steady site is not."""

import numpy as np
import pytest
from starlette.testclient import TestClient

import seqclr
from seqclr.serve.app import application
from seqclr.serve.drift import LIMIT, Cusum, Drift
from seqclr.serve.metrics import Metrics
from seqclr.serve.options import Options
from seqclr.synthesis.generate import generate
from tests.deployment.serving import Stub, png, service_of


def confidences(rng, mean: float, count: int) -> np.ndarray:
    """Confidences of a reader: most near 1, with a tail."""
    return 1 / (1 + np.exp(-rng.normal(mean, 2.5, count)))


def requests_until_reported(drift: Drift, values, add) -> int | None:
    for number, value in enumerate(values, 1):
        add(value)
        if drift.message():
            return number
    return None


@pytest.mark.parametrize("mean", [1.0, 3.0, 6.0])
def test_a_steady_site_is_not_reported(mean):
    for seed in range(20):
        rng, drift = np.random.default_rng(seed), Drift("site", Metrics())
        assert requests_until_reported(drift, confidences(rng, mean, 5200), drift.add_confidence) is None
        assert requests_until_reported(drift, rng.random(5100) < mean / 7, drift.add_outcome) is None


def test_less_sure_predictions_are_reported_and_withdrawn(caplog):
    for seed in range(20):
        rng, drift = np.random.default_rng(seed), Drift("site", Metrics())
        assert requests_until_reported(drift, confidences(rng, 4.0, 1000), drift.add_confidence) is None
        assert requests_until_reported(drift, confidences(rng, 0.0, 50), drift.add_confidence)
        assert "mean confidence 0." in drift.message() and "in the first 200" in drift.message()
        for value in confidences(rng, 4.0, 200):
            drift.add_confidence(value)
        assert drift.message() is None
    assert caplog.text.count("adapt the reader to new images") == 20


def test_refused_texts_are_reported_where_the_reader_stays_sure():
    for seed in range(20):
        rng, drift = np.random.default_rng(seed), Drift("site", Metrics())
        assert requests_until_reported(drift, rng.random(400) < 0.9, drift.add_outcome) is None
        assert requests_until_reported(drift, rng.random(50) < 0.15, drift.add_outcome)
        assert "share of accepted texts 0." in drift.message()


def test_another_style_of_the_generator_is_reported(tmp_path):
    reader, found = seqclr.load("captcha"), {}
    for style, count in (("digits", 250), ("overlap", 50)):
        generate(tmp_path / style, count, style, progress=False)
        images = sorted((tmp_path / style / "images").iterdir())
        rows = reader.predict(images, charset="0123456789", length="4:6")  # as a reader of that site
        found[style] = [confidence for _, confidence, _ in rows]
    drift, rng = Drift("site", Metrics()), np.random.default_rng(0)
    steady = rng.permutation(found["digits"]), rng.choice(found["digits"], 5000)
    assert requests_until_reported(drift, np.concatenate(steady), drift.add_confidence) is None
    assert requests_until_reported(drift, found["overlap"], drift.add_confidence)


def test_constant_confidences_are_steady():
    drift = Drift("site", Metrics())
    assert requests_until_reported(drift, [1.0] * 1000, drift.add_confidence) is None
    assert requests_until_reported(drift, [0.5] * 50, drift.add_confidence) == 13


def test_a_sum_is_bounded_and_falls_to_zero():
    each = Cusum([0.9, 0.8] * 50)
    assert [each.add(0.1) for _ in range(1000)].count(True) == 1 and each.sum == LIMIT
    assert each.recent == pytest.approx(0.1)
    assert [each.add(0.95) for _ in range(100)].count(True) == 1 and each.sum == 0.0


def test_the_server_tells_of_it():
    with TestClient(application(service_of(Options(), site=Stub()))) as client:
        service = client.app.routes[0].endpoint.service
        for value in [0.9] * 160 + [0.8] * 40:
            service.readers["site"].drift.add_confidence(value)
        assert client.get("/healthz").json()["models"]["site"]["drift"] is None
        for _ in range(50):
            client.post("/v1/predict", content=png(240))  # of confidence 0.3
        assert "seem to have changed" in client.get("/healthz").json()["models"]["site"]["drift"]
        assert 'seqclr_drift{model="site",signal="confidence"} 1.0' in client.get("/metrics").text
