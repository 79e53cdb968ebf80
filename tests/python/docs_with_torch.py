"""The examples of docs/python.md that need torch and transformers: blocks without a prompt."""
import pathlib
import re

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "python.md"
blocks = [block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S) if not block.startswith(">>>")]
assert blocks
for block in blocks:
    exec(compile(block, str(PAGE), "exec"), {})
print(f"{len(blocks)} examples")
