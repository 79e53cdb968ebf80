#!/usr/bin/env python3
"""What tools/new-family writes: files that compile, and cases that the reference takes.

usage: tests/reference/new_family.py [FAMILY ...]        (default: a plain one, and one of several model types)

In a scratch tree: the draft compiles without a warning, every class of the package has a row, nothing in it is more than a draft; the
cases are recorded, each class has one that the reference builds, and the tiny ones are small. A family that exists is refused.
Exit status 77 where the pinned reference is not installed; TARE_REFERENCE_PYTHON names an interpreter that has it.
"""
import json
import logging
import os
import pathlib
import re
import subprocess
import sys
import tempfile

REFERENCE = "5.23.0"
SKIPPED = 77
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SMALL = 100_000
WARNINGS = "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings -Werror".split()

other = os.environ.pop("TARE_REFERENCE_PYTHON", None)
if other:
    os.execv(other, [other, *sys.argv])
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
try:
    import goldens
    import transformers
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(SKIPPED)
if transformers.__version__ != REFERENCE:
    print(f"skipped: transformers {transformers.__version__} is not {REFERENCE}")
    sys.exit(SKIPPED)


def scratch_tree(folder):
    (folder / "src/models").mkdir(parents=True)
    (folder / "tests/golden").mkdir(parents=True)
    for part in ("build", "core"):
        (folder / "src" / part).symlink_to(ROOT / "src" / part)


def begin(folder, family):
    return subprocess.run([sys.executable, str(ROOT / "tools/new-family"), "--root", str(folder), family], capture_output=True, text=True)


def check_source(folder, family, classes):
    source = folder / "src/models" / f"{family}.c"
    text = source.read_text()
    run = subprocess.run(["cc", "-std=c11", *WARNINGS, "-fsyntax-only", str(source)], capture_output=True, text=True)
    yield from [f"does not compile: {run.stderr}"] * (run.returncode != 0)
    yield from [f"no family_{family}"] * (f"const family family_{family} = {{" not in text)
    yield from [f"no row for {c}" for c in classes if not re.search(rf'\{{"{c}", \w+,', text)]
    for head, body in re.findall(r"^static void (\w+)\([^)]*\) \{\n(.*?)^\}", text, re.S | re.M):
        if "is not written yet" not in body:
            yield f"{head}() passes for written"
    yield from [f"line {i + 1} is too long" for i, row in enumerate(text.splitlines()) if len(row) > 150]


def check_cases(folder, family, classes):
    goldens.write_family(folder / "tests/golden" / family)
    rows = [json.loads(line) for line in (folder / "tests/golden" / family / "digests.jsonl").read_text().splitlines()]
    built = {r["class"]: r["params"] for r in rows if r["id"].startswith("tiny-") and "params" in r}
    yield from [f"no tiny {c}" for c in classes if c not in built]
    yield from [f"tiny {c} has {n} parameters" for c, n in built.items() if n > SMALL]
    yield from [f"{r['id']}: {r['error']}" for r in rows if "ok" in r and "refused-" not in r["id"]]
    trees = {r["tree"] for r in rows if "tree" in r}
    yield from ["the cases change no tree"] * (len(trees) <= 2 * len(classes))


def main():
    transformers.logging.set_verbosity_error()
    logging.disable(logging.ERROR)
    failed = 0
    for family in sys.argv[1:] or ["gpt_neo", "idefics2"]:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            scratch_tree(folder)
            run, again = begin(folder, family), begin(folder, family)
            faults = [f"exit {run.returncode}: {run.stderr[-400:]}"] if run.returncode else []
            faults += ["does not refuse a family that exists"] * (again.returncode == 0 or "exists" not in again.stderr)
            if not run.returncode:
                classes = [c for c in goldens.upstream(family)["classes"] if not c.endswith("PreTrainedModel")]
                faults += [*check_source(folder, family, classes), *check_cases(folder, family, classes)]
            for fault in faults:
                print(f"{family}: {fault}")
            failed += bool(faults)
    print("failed" if failed else "what new-family writes compiles and is accepted")
    return failed


if __name__ == "__main__":
    sys.exit(main())
