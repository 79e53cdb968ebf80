"""run.py HOW BLOCK: runs a block of the seed documents, which stand here with other import lines, and prints what it prints.

HOW is torch, no-torch - then tare stands where the block says torch - or reference: then transformers and accelerate stand where it says
tare. A statement that raises an error is one line, [line N: ImportError], and the block goes on behind it, as a reader would. Models lie on
the meta device, for nothing here looks at a weight, and the reference would draw 27 GB.
"""
import ast
import importlib
import inspect
import pathlib
import sys
import types

HERE = pathlib.Path(__file__).resolve().parent
BERT = "google-bert/bert-base-uncased"


class Upstream(types.ModuleType):
    """The names of tare, as the reference has them."""

    def __getattr__(self, name):
        for module in ("transformers", "transformers.modeling_utils", "accelerate"):
            found = getattr(importlib.import_module(module), name, None)
            if found is not None:
                return found
        raise AttributeError(name)


def given():
    """What a block that is no program of its own takes for granted."""
    import tare
    mixins = {name: type(name, (), {}) for name in ("ModuleUtilsMixin", "GenerationMixin", "PushToHubMixin", "PeftAdapterMixin")}
    return {"nn": types.SimpleNamespace(Module=type("Module", (), {})), **mixins, "PreTrainedConfig": tare.PreTrainedConfig,
            "AutoModel": tare.AutoModel, "config": tare.AutoConfig.from_pretrained(BERT)}


def signature_of(function):
    return str(inspect.Signature([p.replace(annotation=p.empty) for p in inspect.signature(function).parameters.values()]))


def run(name, how):
    text = (HERE / f"{name}.py").read_text(encoding="utf-8")
    if how == "no-torch":
        text = text.replace("import torch\n", "import tare\n").replace("torch.", "tare.")
    scope = {"__name__": "__main__"}
    if name.endswith("_signature"):
        scope.update(given())
    for statement in ast.parse(text).body:
        program = compile(ast.Module([statement], []), name, "exec")
        try:
            exec(program, scope)
        except Exception as e:
            if how != "reference" and "-v" in sys.argv:
                print(e, file=sys.stderr)
            print(f"[line {statement.lineno}: {type(e).__name__}]")
    if name.endswith("_signature"):
        import tare
        own = scope["PreTrainedModel"].__init__ if "PreTrainedModel" in scope else scope["__init__"]
        print(signature_of(own), signature_of(own) == signature_of(tare.PreTrainedModel.__init__))


def main(how, name):
    sys.stdout.reconfigure(encoding="utf-8")
    if how == "reference":
        import torch
        sys.modules["tare"] = Upstream("tare")
        torch.set_default_device("meta")
    if how == "torch":
        import torch  # noqa: F401
    run(name, how)


if __name__ == "__main__":
    main(*sys.argv[1:3])
