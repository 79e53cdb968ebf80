#!/usr/bin/env python3
"""tools/drift finds nothing where nothing changed, and what was changed where something did.

usage: tests/reference/drift.py

The pinned reference beside what was recorded from it; then beside a copy in which one thing of each kind is another.
Exit status 77 where the pinned reference is not installed; TARE_REFERENCE_PYTHON names an interpreter that has it.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

REFERENCE = "5.23.0"
SKIPPED = 77
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FAMILIES = ("llama", "mixtral")
EDITS = (  # file, before, after, what the report says
    ("src/models/llama.json", '["hidden_size", "int", 4096]', '["hidden_size", "int", 4097]', "defaults: configs.LlamaConfig.fields.hidden_size[1]: 4097 -> 4096"),
    ("tests/golden/llama/tiny-LlamaForCausalLM.tree.txt", "up_proj", "upper_proj", "trees: line 19"),
    ("tests/golden/llama/digests.jsonl", '"no_split":["LlamaDecoderLayer"]', '"no_split":["Other"]', 'facts: no_split[0]: "Other" -> "LlamaDecoderLayer"'),
    ("tests/golden/mixtral/upstream.json", "block_sparse_moe", "sparse_block", "layouts: mixtral[0]"),
    ("tests/golden/mixtral/upstream.json", '  "MixtralForCausalLM",\n', "", "classes: new: MixtralForCausalLM"),
    ("tools/model_types.txt", "bert\n", "bert\nbertie\n", "gone model types: bertie"),
    ("tools/model_types.txt", "\nllama\n", "\n", "new model types: llama"),
)

other = os.environ.get("TARE_REFERENCE_PYTHON", sys.executable)
known = subprocess.run([other, "-c", "import torch, transformers; print(transformers.__version__)"], capture_output=True, text=True).stdout.strip()
if known != REFERENCE:
    print(f"skipped: transformers {known or 'is missing'}")
    sys.exit(SKIPPED)


def drift(*words):
    run = subprocess.run([str(ROOT / "tools/drift"), *words], capture_output=True, text=True, env={**os.environ, "TARE_REFERENCE_PYTHON": other})
    return run.returncode, run.stdout + run.stderr


def changed_copy(folder):
    for part in ("src/models", *(f"tests/golden/{f}" for f in FAMILIES)):
        shutil.copytree(ROOT / part, folder / part)
    (folder / "tools").mkdir()
    shutil.copy(ROOT / "tools/model_types.txt", folder / "tools")
    for name, before, after, _ in EDITS:
        path = folder / name
        text = path.read_text()
        assert before in text, f"{name} has no {before!r}"
        path.write_text(text.replace(before, after, 1))
    # A recorded tree that differs is one with another digest too.
    path = folder / "tests/golden/llama/digests.jsonl"
    rows = path.read_text().splitlines()
    at = next(i for i, r in enumerate(rows) if '"id":"tiny-LlamaForCausalLM"' in r)
    rows[at] = rows[at].replace('"tree":"', '"tree":"0', 1)
    path.write_text("\n".join(rows) + "\n")


def main():
    faults = []
    status, said = drift(*FAMILIES)
    if status or "0 of 2 families drifted" not in said:
        faults.append(f"drift where there is none, exit {status}:\n{said}")
    with tempfile.TemporaryDirectory() as name:
        changed_copy(pathlib.Path(name))
        status, said = drift("--root", name, *FAMILIES)
        faults += [f"exit {status} for a changed copy"] * (status != 1)
        faults += [f"not reported: {text}\n{said}" for *_, text in EDITS if text not in said]
    print("\n".join(faults) or "drift is found where it is")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
