"""A signal is answered once, with one sentence, whatever it meets."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from seqclr.engine import signals

BOTH = pytest.mark.parametrize("number", signals.NUMBERS)


@pytest.fixture(autouse=True)
def as_before():
    before = [signal.getsignal(number) for number in signals.NUMBERS]
    hook = sys.unraisablehook
    yield
    assert [signal.getsignal(number) for number in signals.NUMBERS] == before and sys.unraisablehook is hook


@BOTH
def test_it_is_raised_where_there_is_something_to_clear_up(number):
    with pytest.raises(signals.Stopped) as stopped, signals.raising():
        os.kill(os.getpid(), number)
        time.sleep(10)
    assert stopped.value.number == number
    assert str(stopped.value) == ("interrupted" if number == signal.SIGINT else "stopped by SIGTERM")


def test_where_kill_would_end_the_process_it_is_not_used(monkeypatch):
    monkeypatch.setattr(signals, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.delattr(os, "kill")
    with signals.catch_signals() as seen:
        signals.send_to_self(signal.SIGTERM)
        time.sleep(0.01)
    assert seen == [signal.SIGTERM]


def test_a_destructor_neither_swallows_it_nor_says_a_word(capsys):
    class Late:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)

    with pytest.raises(signals.Stopped), signals.raising():
        late = Late()
        del late
        time.sleep(10)
    assert capsys.readouterr().err == ""


def test_in_the_loop_it_is_noted_and_a_second_ctrl_c_is_raised():
    with signals.catch_signals() as seen:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(signals.Stopped):
            os.kill(os.getpid(), signal.SIGINT)
    assert seen == [signal.SIGTERM, signal.SIGTERM]


LEAVES = """
import os, signal, sys
from seqclr.engine import signals
try:
    with signals.raising(), signals.leaving():
        os.kill(os.getpid(), int(sys.argv[1]))
except BaseException:
    print("not reached")
"""


@BOTH
def test_in_an_import_it_ends_the_process(number):
    done = subprocess.run([sys.executable, "-c", LEAVES, str(int(number))], capture_output=True, text=True)
    said = "interrupted" if number == signal.SIGINT else "stopped by SIGTERM"
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", f"seqclr: {said}\n")


def test_a_program_that_is_still_importing_ends_without_a_traceback():
    code = """if True:
        import os, signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the tests were started with
        sys.modules["seqclr.cli"] = None  # its import fails, as one that is not over
        try:
            import seqclr.__main__
        except ImportError:
            os.kill(os.getpid(), signal.SIGINT)
    """
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
