"""stubs.py EXTENSION OUT: writes the package's stubs, stubs.pyi followed by every class that the extension's library knows."""
import importlib.util
import json
import keyword
import os
import sys

SIMPLE = {"int": "_int", "float": "_float", "str": "str", "bool": "_bool", "None": "None"}


def load(extension):
    spec = importlib.util.spec_from_file_location("_tare", extension)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def type_of(text):
    """Python's type of a field, as far as plain values go."""
    parts = [part.strip() for part in text.split("|")]
    if all(part in SIMPLE for part in parts):
        # An int does where a float is meant, for Python; for a config it does not, which no checker can say.
        return " | ".join(SIMPLE[part] for part in parts)
    return "Any"


def config_class(tare, name):
    fields = [(field, type_of(kind)) for field, _, kind, _ in tare.config_fields(name) if field.isidentifier() and not keyword.iskeyword(field)]
    stored = [field for field, alias, _, _ in tare.config_fields(name) if alias is None and field.isidentifier()]
    known = {"dtype": "Any", "id2label": "dict[_int, str]", "label2id": "dict[str, _int]", "architectures": "list[str] | None"}
    lines = [f"class {name}(PreTrainedConfig):"]
    lines += [f"    {field}: {known.get(field, kind)}" for field, kind in fields]
    arguments = ", ".join(f"{field}: {known.get(field, kind)} = ..." for field, kind in fields if field in stored)
    lines.append(f"    def __init__(self, *, {arguments}, **kwargs: Any) -> None: ...")
    return lines


def model_class(tare, name):
    config = tare.model_classes()[name][0]
    return [f"class {name}(PreTrainedModel):", f"    config_class: type[{config}]", "    @property",
            f"    def config(self) -> {config}: ...", f"    def __init__(self, config: {config}) -> None: ..."]


def main(extension, out):
    tare = load(extension)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "stubs.pyi"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    for name in tare.config_classes():
        lines += ["", *config_class(tare, name)]
    for name in tare.model_classes():
        lines += ["", *model_class(tare, name)]
    for name in tare.auto_classes():
        lines += ["", f"class {name}(_AutoModel): ..."]
    os.makedirs(os.path.dirname(out), exist_ok=True)
    with open(out, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
