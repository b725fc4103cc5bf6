"""The real chat on the real sample corpus, and a Chromium that can reach nothing but this machine."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from medqa.paths import PROJECT

SAMPLE = PROJECT / "data" / "sample" / "health.csv"
MODEL = PROJECT / "models" / "phi3-nano"
CHROMIUM = next((p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))), None)
START_SECONDS = 60


def medqa(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "medqa.cli", *arguments]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def chromium() -> str:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install --no-install-recommends chromium fonts-dejavu-core")
    return CHROMIUM


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample corpus, ingested and indexed with the verbs themselves."""
    if not SAMPLE.is_file():
        pytest.skip(f"the sample corpus is absent: {SAMPLE}")
    folder = tmp_path_factory.mktemp("chat")
    corpus, index = folder / "corpus", folder / "index"
    run(medqa("ingest", str(SAMPLE), "--out", str(corpus), "--offline"))
    run(medqa("index", "build", "--corpus", str(corpus), "--index", str(index), "--offline"))
    return index


@pytest.fixture(scope="session")
def has_model() -> bool:
    return (MODEL / "config.json").is_file()


@pytest.fixture(scope="session")
def address(chromium: str, index: Path) -> Iterator[str]:
    """``medqa chat`` as a person starts it; yields its address.

    No adapter, whether or not one lies around, unless ``MEDQA_CHAT_ADAPTER`` names one (for the README's picture). Drafts are
    written token by token: looked up in the sources, a short one is there before a browser has drawn its beginning.
    """
    port = free_port()
    adapter = os.environ.get("MEDQA_CHAT_ADAPTER", "null")
    flags = ["--index", str(index), "--port", str(port), "--offline", "--set", f"generator.adapter={adapter}"]
    flags += ["--set", "generator.lookup_tokens=0"]
    server = subprocess.Popen(medqa("chat", *flags), cwd=index.parent)
    try:
        wait_until_healthy(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(15)


@pytest.fixture
def visited() -> list[str]:
    """Every address that the page asked for."""
    return []


@pytest.fixture(scope="module")
def browser(chromium: str):
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address: str, visited: list[str]):
    """The chat, open and ready for a question, in a session of its own."""

    def only_here(route) -> None:
        visited.append(route.request.url)
        if urlsplit(route.request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            route.abort()

    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(START_SECONDS * 1000)
    page.route("**/*", only_here)
    page.on("websocket", lambda socket: visited.append(socket.url))
    page.goto(address)
    page.get_by_test_id("stChatInputTextArea").wait_for()
    yield page
    context.close()


def run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr


def wait_until_healthy(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert server.poll() is None, "medqa chat ended by itself"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1):
                return
        except OSError:
            assert time.monotonic() < deadline, "the chat did not come up"
            time.sleep(0.2)
