import json
import platform
import subprocess
import sys

import numpy as np
import pytest
import torch

import overmix
from overmix.study.plan.fingerprint import fingerprint


def test_it_names_all_that_the_last_bits_depend_on():
    found = fingerprint("cpu")
    assert found["overmix"] == overmix.__version__
    assert found["torch"] == torch.__version__
    assert found["numpy"] == np.__version__
    assert found["python"] == platform.python_version()
    assert found["instruction_set"] == torch.backends.cpu.get_cpu_capability()
    assert (found["threads"], found["device"]) == (1, "cpu")
    assert found["system"]
    assert found["cpu"]


@pytest.mark.slow
def test_it_survives_json_and_another_process():
    code = "import json; from overmix.study.plan.fingerprint import fingerprint; print(json.dumps(fingerprint('cpu')))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(told) == fingerprint("cpu")
