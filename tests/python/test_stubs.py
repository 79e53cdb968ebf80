"""The stubs name what there is: all public names of the package, and all members of its classes."""
import ast
import pathlib

import folders
import pytest
import tare

STUBS = pathlib.Path(tare.__file__).with_name("__init__.pyi")


def name_of(node):
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return [node.name]
    if isinstance(node, ast.AnnAssign):
        return [node.target.id]
    return [target.id for target in node.targets] if isinstance(node, ast.Assign) else []


def public(names):
    return {name for name in names if not name.startswith("_")}


@pytest.fixture(scope="module")
def classes():
    return {node.name: node for node in ast.parse(STUBS.read_text()).body if isinstance(node, ast.ClassDef)}


def members(classes, name):
    """Of a class of the stubs and of those that it derives from."""
    found = set()
    for base in classes[name].bases:
        if isinstance(base, ast.Name) and base.id in classes:
            found |= members(classes, base.id)
    return found | {name for node in classes[name].body for name in name_of(node)}


def test_names():
    found = {name for node in ast.parse(STUBS.read_text()).body for name in name_of(node)}
    assert public(found) == public(dir(tare)) and "__version__" in found


@pytest.fixture(scope="module")
def things(tmp_path_factory):
    model = folders.small()
    folder = folders.write(tmp_path_factory.mktemp("stubs") / "llama", model)
    report = model.check(folder)
    layers = tare.layers(folder)
    return {"dtype": tare.dtype("int8"), "device": tare.device("cpu"), "Size": model.lm_head.weight.shape, "Parameter": model.lm_head.weight,
            "Tensor": next(model.buffers()), "Module": model.lm_head, "PreTrainedConfig": model.config, "LlamaConfig": model.config,
            "PreTrainedModel": model, "LlamaForCausalLM": model, "GenerationConfig": model.generation_config, "AutoConfig": tare.AutoConfig,
            "AutoModel": tare.AutoModel, "CheckReport": report, "CheckRow": report.rows[0], "Layers": layers, "Layer": layers[0]}


def test_members_are_there(classes, things):
    for name, thing in things.items():
        lacking = {member for member in public(members(classes, name)) if not hasattr(thing, member)}
        assert not lacking, name


def test_members_are_named(classes, things):
    known = {"Size": public(dir(tuple))}
    for name, thing in things.items():
        own = type(thing) if not isinstance(thing, type) else thing
        lacking = public(dir(own)) - public(members(classes, name)) - known.get(name, set())
        assert not lacking, name
