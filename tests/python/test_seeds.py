"""Every Python block of the documents that tare is made for: with other import lines it prints what it prints under the reference.

The blocks and what was recorded are in tests/python/seeds; ./dev goldens python records.
"""
import os
import pathlib
import re
import subprocess
import sys
from collections import OrderedDict

import pytest
import tare
from test_reference import reference

SEEDS = pathlib.Path(__file__).resolve().parent / "seeds"
BLOCKS = sorted(file.stem for file in SEEDS.glob("*_*.py"))

# What is meant to differ: the reference takes config.attn_implementation for a value nobody reads, and builds what it would have built.
DIFFERENT = {
    "init_support": [("flash_attention_2: Supported âœ“", "flash_attention_2: Not supported - flash_attention_2 cannot be used: package flash_at...")],
}
# Optimizers are torch's, and without it there are none.
WITHOUT_TORCH = {"init_training": [("Model ready", "[line 17: AttributeError]\nModel ready")]}


def expected(block, changes):
    text = (SEEDS / f"{block}.txt").read_text(encoding="utf-8")
    for theirs, ours in changes:
        assert theirs in text
        text = text.replace(theirs, ours)
    # Python 3.12 prints an OrderedDict in another way.
    return re.sub(r"OrderedDict\(.*\)", lambda found: repr(eval(found[0], {"OrderedDict": OrderedDict})), text)


def test_all_blocks_are_recorded():
    assert len(BLOCKS) == 11 and all((SEEDS / f"{block}.txt").exists() for block in BLOCKS)


@pytest.mark.parametrize("block", BLOCKS)
def test_without_torch(block):
    where = str(pathlib.Path(tare.__file__).resolve().parent.parent)
    done = subprocess.run([sys.executable, SEEDS / "run.py", "no-torch", block], capture_output=True, env={**os.environ, "PYTHONPATH": where})
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == expected(block, DIFFERENT.get(block, []) + WITHOUT_TORCH.get(block, []))


@pytest.mark.parametrize("block", BLOCKS)
def test_with_torch(block):
    done = reference(SEEDS / "run.py", "torch", block)
    assert done.returncode == 0, done.stderr
    assert done.stdout == expected(block, DIFFERENT.get(block, []))
