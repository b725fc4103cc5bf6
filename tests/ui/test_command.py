import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from medqa.errors import MedqaError
from medqa.settings import Settings
from ui import command


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def index(tmp_path):
    """Enough of an index to start the server; the page then says that it is damaged."""
    generation = tmp_path / "index" / "generations" / "000001"
    generation.mkdir(parents=True)
    (generation / "manifest.json").write_text("{}")
    (tmp_path / "index" / "CURRENT").write_text("000001\n")
    return tmp_path / "index"


def test_a_missing_index_is_told_before_the_server_starts(tmp_path, monkeypatch, port):
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("the server was started"))
    with pytest.raises(MedqaError, match="wanted an index at"):
        command.chat(Settings(index=str(tmp_path / "none")), port)


def test_a_taken_port_is_told_before_the_server_starts(index, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("the server was started"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(MedqaError, match=r"found it taken .*--port"):
            command.chat(Settings(index=str(index)), taken.getsockname()[1])


def test_a_port_out_of_range_is_refused(index):
    with pytest.raises(MedqaError, match="between 1 and 65535, found 70000"):
        command.chat(Settings(index=str(index)), 70000)


def test_a_missing_streamlit_names_the_extra(monkeypatch, index):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MedqaError, match=r"medqa\[ui\]"):
        command.chat(Settings(index=str(index)), 8501)


def test_the_server_listens_on_loopback_only_and_reports_nothing():
    line = " ".join(command.server_command(8600))
    assert "--server.address 127.0.0.1" in line and "--server.port 8600" in line
    assert "--browser.gatherUsageStats false" in line and "--server.headless true" in line


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_chat_and_server_cleanly(index, port, stop):
    """The real server, in a process of its own: it answers, and after the signal nothing of it is left."""
    code = (
        # a shell's background job, as which a test run may be started, ignores SIGINT, and so would its children
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from medqa.settings import Settings; from ui.command import chat; "
        f"sys.exit(chat(Settings(index={str(index)!r}), {port}))"
    )
    chat = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    try:
        wait_until_healthy(port)
        os.kill(chat.pid, stop)
        assert chat.wait(15) == 0
        assert chat.stderr is not None
        assert "Traceback" not in chat.stderr.read()
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, "the server is still there"
    finally:
        chat.kill()
        chat.wait()


def wait_until_healthy(port: int, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1) as reply:
                assert reply.read() == b"ok"
                return
        except OSError:
            assert time.monotonic() < deadline, "the server did not come up"
            time.sleep(0.2)
