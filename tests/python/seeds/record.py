"""Records what the reference prints for each block, as NAME.txt beside it; ./dev goldens python runs it. Ids are folders with the presets."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PRESETS = HERE.parents[2] / "presets"


def main():
    with tempfile.TemporaryDirectory() as folder:
        for file in PRESETS.glob("*.json"):
            place = pathlib.Path(folder, *file.stem.split("--"))
            place.mkdir(parents=True)
            shutil.copy(file, place / "config.json")
        for block in sorted(HERE.glob("*_*.py")):
            # The order of accelerate's maps may hang on the hashes of texts.
            said = subprocess.run([sys.executable, HERE / "run.py", "reference", block.stem], cwd=folder, check=True, stdout=subprocess.PIPE,
                                  env={**os.environ, "PYTHONHASHSEED": "0", "HF_HUB_OFFLINE": "1"}, stderr=subprocess.DEVNULL).stdout
            block.with_suffix(".txt").write_bytes(said)
            print(f"{block.stem}: {len(said)} bytes")


if __name__ == "__main__":
    main()
