"""The package beside transformers itself, where an interpreter that has it is named by TARE_REFERENCE_PYTHON."""
import os
import pathlib
import subprocess

import pytest
import tare

HERE = pathlib.Path(__file__).resolve().parent


def reference(*command, **settings):
    python = os.environ.get("TARE_REFERENCE_PYTHON")
    if not python:
        pytest.skip("TARE_REFERENCE_PYTHON names no interpreter that has the reference")
    # Its site-packages first would hide nothing: the package is the one thing that is added.
    where = str(pathlib.Path(tare.__file__).resolve().parent.parent)
    done = subprocess.run([python, *map(str, command)], env={**os.environ, "PYTHONPATH": where, **settings}, capture_output=True, text=True)
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    return done


def test_configs_and_models_are_the_reference_s():
    done = reference(HERE / "reference.py")
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def test_device_maps_are_accelerate_s():
    done = reference(HERE / "reference_plan.py", PYTHONHASHSEED="0")
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def test_loads_are_transformers_and_accelerate_s():
    done = reference(HERE / "reference_load.py")
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def test_torch_s_own_objects_are_given_and_taken():
    done = reference(HERE / "with_torch.py")
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def test_fresh_weights_are_the_reference_s():
    done = reference(HERE / "reference_weights.py")
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def test_weights_are_torch_s_own():
    done = reference(HERE / "weights_with_torch.py")
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def test_examples_that_need_torch():
    done = reference(HERE / "docs_with_torch.py")
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
