"""Changes of a site are reported in words, and a steady site is not."""

import numpy as np
import pytest
from starlette.testclient import TestClient

import seqclr
from seqclr.serve.app import application
from seqclr.serve.drift import FILE, LIMIT, MOST, Cusum, Drift
from seqclr.serve.keeper import Keeper
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
        assert "mean confidence 0." in drift.message() and "in the first 1000" in drift.message()
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


def test_a_moderate_change_is_reported():
    """Ranks a standard deviation lower, as those of a reader that is right on 0.68 instead of 0.82 of the images."""
    for seed in range(20):
        rng, drift = np.random.default_rng(seed), Drift("site", Metrics())
        assert requests_until_reported(drift, rng.normal(0, 1, 700), drift.add_confidence) is None
        assert requests_until_reported(drift, rng.normal(-1.2, 1, 50), drift.add_confidence)


def test_first_values_are_bounded_and_none_is_added_after_a_change():
    drift = Drift("site", Metrics())
    first = drift._sums["confidence"].first
    for value in range(500):
        drift.add_confidence(value % 7)
    assert first == sorted(value % 7 for value in range(500))
    found = requests_until_reported(drift, [-1] * 50, drift.add_confidence)
    drift.add_confidence(-1)
    assert found and first.count(-1) == found - 1
    for value in range(2000):
        drift.add_confidence(value % 7)
    assert drift.message() is None and len(first) == MOST


def test_a_change_during_a_restart_is_reported(tmp_path, caplog):
    rng, options = np.random.default_rng(0), ("site", 10**6, 90.0, Metrics())
    keeper = Keeper(tmp_path / "site", *options)
    drift = Drift("site", Metrics(), "digest", keeper)
    assert requests_until_reported(drift, confidences(rng, 4.0, 450), drift.add_confidence) is None
    assert requests_until_reported(drift, rng.random(450) < 0.9, drift.add_outcome) is None
    first = {name: each.first for name, each in drift._sums.items()}
    keeper.close()  # after what waits to be written
    assert sorted(path.name for path in (tmp_path / "site").glob("drift*")) == [FILE]

    keeper = Keeper(tmp_path / "site", *options)
    changed, refused = confidences(rng, 0.0, 50), [False] * 50
    again = Drift("site", Metrics(), "digest", keeper)
    kept = {name: each.first for name, each in again._sums.items()}
    assert {name: len(values) for name, values in kept.items()} == {"confidence": 450, "acceptance": 400}
    assert kept["confidence"] == first["confidence"]
    assert requests_until_reported(again, changed, again.add_confidence)
    for digest in ("digest", "another"):
        again = Drift("site", Metrics(), digest, keeper)
        assert bool(requests_until_reported(again, refused, again.add_outcome)) == (digest == "digest")
    fresh = Drift("site", Metrics())
    assert requests_until_reported(fresh, [*changed] * 8, fresh.add_confidence) is None
    (tmp_path / "site" / FILE).write_text('{"digest": "digest"}')
    damaged = Drift("site", Metrics(), "digest", keeper)
    assert not damaged._sums["confidence"].first and f"{FILE} cannot be read" in caplog.text
    keeper.close()


def test_a_sum_is_bounded_and_falls_to_zero():
    each = Cusum(100, [0.9, 0.8] * 500)
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


def test_a_server_that_keeps_images_tells_of_it_after_a_restart(tmp_path):
    options, found = Options(keep=str(tmp_path)), []
    for values in ([0.9] * 160 + [0.8] * 40, []):
        with TestClient(application(service_of(options, site=Stub()))) as client:
            for value in values:
                client.app.routes[0].endpoint.service.readers["site"].drift.add_confidence(value)
            for _ in range(0 if values else 50):
                client.post("/v1/predict", content=png(240))  # of confidence 0.3
            found.append(client.get("/healthz").json()["models"]["site"]["drift"])
    assert found[0] is None and "seem to have changed" in found[1]
