"""What looks at training and writes beside it."""

from seqclr.engine.callbacks import standard
from tests.engine import tiny


def test_a_run_that_ends_within_its_profile_has_one(tmp_path):
    job = tiny.trainer(tmp_path / "run", "ctc", steps=12, profile=True)
    job.callbacks += standard(job.run, job.config)
    job.fit()
    assert list(job.run.folder.glob("profile/**/*.xplane.pb"))
