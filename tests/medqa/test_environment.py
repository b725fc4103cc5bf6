"""The switches reach the libraries that read them: asked of the libraries, in a process of their own."""

import os
import subprocess
import sys

OUR_SWITCHES = (
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "HF_DATASETS_OFFLINE",
    "HF_HUB_DISABLE_TELEMETRY",
    "GOMP_SPINCOUNT",
)


def in_a_fresh_process(code, **environment):
    clean = {k: v for k, v in os.environ.items() if k not in OUR_SWITCHES}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=clean | environment
    )
    return done.stdout.strip()


def test_offline_reaches_the_hub_client():
    code = "from medqa.environment import prepare\nprepare({})\nfrom huggingface_hub import constants as c\n"
    code += "print(c.HF_HUB_OFFLINE, c.HF_HUB_DISABLE_TELEMETRY)"
    assert in_a_fresh_process(code.format("offline=True")) == "True True"
    assert in_a_fresh_process(code.format("offline=False")) == "False True"


def test_a_users_own_thread_setting_wins():
    code = "import os\nfrom medqa.environment import prepare\nprepare(True)\nprint(os.environ['GOMP_SPINCOUNT'])"
    assert in_a_fresh_process(code, GOMP_SPINCOUNT="7") == "7"
    assert in_a_fresh_process(code) == "100000"
