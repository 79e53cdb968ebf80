"""What notebooks and terminals are shown: trees, tables, bars."""
import html.parser
import os
import pathlib
import re
import subprocess
import sys

import folders
import pytest
import tare
from tare import AutoConfig, AutoModel, LlavaConfig, infer_auto_device_map, init_empty_weights

VOID = {"br"}


class Page(html.parser.HTMLParser):
    """Text, tags and attributes of HTML that closes what it opens."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.text, self.attributes = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)


def shown(thing):
    text = thing._repr_html_()
    page = Page(text)
    assert set(page.tags) <= {"style", "div", "details", "summary", "span", "table", "tr", "td", "b"}
    assert set(page.attributes) <= {"class", "style", "open"} and not re.search(r"url\(|@import|https?:|<script", text)
    return "".join(page.text)


@pytest.fixture
def bloom():
    with init_empty_weights():
        return AutoModel.from_config(AutoConfig.from_pretrained("bigscience/bloom-7b1"), dtype="float16")


def test_a_model_folds(bloom):
    text = shown(bloom)
    assert "BloomModel" in text and "7,069,016,064 (14.14 GB)" in text and "(0-29: 30 x) BloomBlock" in text
    assert "Embedding(250880, 4096)" in text and "self_attention" in text and text.count("BloomBlock") == 1
    assert len(bloom._repr_html_()) < 20000


def test_modules_that_differ_stay_apart():
    with init_empty_weights():
        model = AutoModel.from_config(tare.T5Config(num_layers=3, num_decoder_layers=2))
    text = shown(model)
    assert "(0) T5Block" in text and "(1-2: 2 x) T5Block" in text  # the first one has the table of positions
    assert "embed_tokens" in text and "= shared.weight" in text


def test_a_device_map_is_drawn(bloom):
    assert "disk" not in shown(bloom)
    device_map = infer_auto_device_map(bloom, {0: "8GB", 1: "4GB", "cpu": "1GB"}, ["BloomBlock"])
    assert set(device_map.values()) == {0, 1, "cpu", "disk"}
    text, raw = shown(bloom), bloom._repr_html_()
    sizes = dict.fromkeys(map(str, device_map.values()), 0)
    for name, p in bloom.named_parameters():
        sizes[str(device_map[max((key for key in device_map if name == key or name.startswith(f"{key}.")), key=len)])] += p.nbytes
    for device, size in sizes.items():
        assert f"{device}\xa0{tare._html.bytes_text(size)}" in text
    assert raw.count('class="bar"') == 4 and "width:100.0%" in raw
    assert re.search(r"\(0-\d+: \d+ x\) BloomBlock0", text) and re.search(r"BloomBlockdisk", text)
    assert "0" in shown(bloom.h[0]) and "BloomAttention" in shown(bloom.h[0])


def test_a_module_and_a_leaf():
    model = folders.small()
    assert "LlamaMLP" in shown(model.model.layers[1].mlp) and "Embedding" not in shown(model.model.layers[1])
    assert "Linear" in shown(model.lm_head) and "weight: 100 x 64, float32" in shown(model.lm_head)


def test_configs():
    config = tare.LlamaConfig(hidden_size=128, name="<script>alert(1)</script>", note="a & b")
    raw, text = config._repr_html_(), shown(config)
    assert "<b>hidden_size</b>" in raw and "<td>vocab_size</td>" in raw and '"<script>alert(1)</script>"' in text
    assert "&lt;script&gt;" in raw and "a &amp; b" in raw
    text = shown(LlavaConfig(text_config={"model_type": "llama", "num_hidden_layers": 3}))
    assert "LlamaConfig" in text and "CLIPVisionConfig" in text and "num_hidden_layers3" in text
    many = tare.ViTConfig(num_labels=300)
    assert "300 entries" in shown(many)


# ---- bars -----------------------------------------------------------------------------------------------------------

BARS = """
import io, sys, types
import tare
from tare import _progress

class Bar:
    def __init__(self, **how):
        self.n, self.how = 0, how
        print("begins", how["desc"], how["total"])
    def update(self, n):
        self.n += n
    def close(self):
        print("ends", self.n <= self.how["total"])

class Terminal(io.StringIO):
    def isatty(self):
        return sys.argv[1] == "terminal"

sys.stderr = Terminal()
if sys.argv[2] == "tqdm":
    tqdm = types.ModuleType("tqdm")
    tqdm.auto = types.ModuleType("tqdm.auto")
    tqdm.auto.tqdm = Bar
    sys.modules.update({"tqdm": tqdm, "tqdm.auto": tqdm.auto})
else:
    sys.modules["tqdm"] = None
bar = _progress.bar("loading", "LlamaModel", 100)
if bar is not None:
    bar.to(30)
    bar.to(70)
    bar.close()
model = tare.GPT2LMHeadModel(tare.GPT2Config(n_layer=int(sys.argv[3])))
model._handle.draw()
print("done", model.is_pending, repr(sys.stderr.getvalue()))
"""


def bars(*words):
    where = str(pathlib.Path(tare.__file__).resolve().parent.parent)
    done = subprocess.run([sys.executable, "-c", BARS, *words], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": where})
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_bars_are_for_terminals():
    lines = bars("terminal", "tqdm", "40")
    assert lines[:2] == ["begins loading LlamaModel 100", "ends True"] and lines[-1] == "done False ''"
    drawing = [line for line in lines if line.startswith("begins drawing GPT2LMHeadModel")]
    assert len(drawing) == 1 and lines[-2] == "ends True"
    assert bars("pipe", "tqdm", "1") == ["done False ''"]
    assert bars("terminal", "no tqdm", "1") == ["done False ''"]
