"""Fresh weights beside the reference's, in one process: reference_weights.py [--all] [--seed N] [FAMILY ...]

Models of a family are made one after the other from one seed, by transformers and by the package: with torch's generator, which ends where
the reference leaves it, and, in a process without torch, from the package's own; touched last first, in any order of tensors. Of each,
every parameter and buffer is the reference's bit for bit, and transformers' own model that takes over the memory gives what the reference's
gives. Exit status 1 and a line for every difference, 77 where the reference is not installed.
"""
import os

os.environ["MKL_CBWR"] = "COMPATIBLE"  # logarithms whose last bits are those of every processor

import ctypes
import hashlib
import json
import pathlib
import random
import subprocess
import sys

from reference import GOLDEN, Differs, arguments, attempt, class_of, same, sweep, torch, transformers

import tare

HERE = pathlib.Path(__file__).resolve().parent
CASES = 3          # of each family, without --all
MOST = 3_000_000   # parameters
NEARLY = {"rwkv"}  # init.orthogonal_: torch's bits are those of LAPACK, and of the processor


def made_by_reference(case):
    name, values = case["class"], dict(case["config"])
    config = type(transformers.AutoConfig.for_model(values["model_type"])).from_dict({k: v for k, v in values.items() if k != "model_type"})
    their_class = class_of(name, case["config"])
    return their_class(config) if case["plain"] else their_class._from_config(config)


def made_here(case):
    values = dict(case["config"])
    model_class = getattr(tare, case["class"])
    config = model_class.config_class.from_dict({k: v for k, v in values.items() if k != "model_type"})
    return model_class(config) if case["plain"] else model_class._from_config(config)


def bytes_of(tensor):
    tensor = tensor.detach().contiguous()
    return ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size())


def tensors(model):
    return [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]


def compare(ours, theirs, nearly):
    own, their = tensors(ours), tensors(theirs)
    same("names", [name for name, _ in own], [name for name, _ in their])
    for (name, a), (_, b) in zip(own, their):
        same(f"{name}: shape, dtype, gradient", (a.shape, a.dtype, a.requires_grad), (b.shape, b.dtype, b.requires_grad))
        if not (torch.allclose(a, b, atol=1e-5) if nearly else torch.equal(a, b)):
            same(f"{name}: its values", "", f"differ by {(a.double() - b.double()).abs().max()}")
        same(f"{name}: its type", type(a), type(b))


def compare_running(ours, theirs, nearly):
    """The model handed over shares all memory, and runs like the reference's."""
    state = torch.get_rng_state()
    model, error = attempt(ours.to_transformers)
    if error is not None:
        raise Differs(f"to_transformers(): {error!r:.300}")
    same("the generator after to_transformers()", torch.equal(torch.get_rng_state(), state), True)
    same("class of to_transformers()", type(model), type(theirs))
    same("its config", model.config.to_dict(), theirs.config.to_dict())
    same("its attention", model.config._attn_implementation, theirs.config._attn_implementation)
    if theirs.can_generate():
        same("its generation config", model.generation_config.to_dict(), theirs.generation_config.to_dict())
    same("its dtype and mode", (model.dtype, model.training, repr(model)), (theirs.dtype, theirs.training, repr(theirs)))
    compare_memory(ours, model)
    for (name, a), (_, b) in zip(plain_tensors(model), plain_tensors(theirs)):
        same(f"attribute {name}", (a.is_meta, torch.equal(a, b) if not a.is_meta else None), (False, True))
    inputs, _ = attempt(lambda: dict(theirs.dummy_inputs))
    if nearly or not inputs or "input_ids" not in inputs:
        return False
    inputs = {k: v % 7 if k == "input_ids" else v for k, v in inputs.items()}
    run, their_error = attempt(lambda: first_tensor(theirs.eval()(**inputs)))
    if their_error is not None:
        return False
    same("what it gives", torch.equal(first_tensor(model.eval()(**inputs)), run), True)
    return True


def first_tensor(value):
    while not isinstance(value, torch.Tensor):
        value = value[0]
    return value


def plain_tensors(model):
    """Tensors that are attributes, and neither parameters nor buffers."""
    return [(f"{path}.{name}", value) for path, m in model.named_modules() for name, value in vars(m).items() if isinstance(value, torch.Tensor)]


def compare_memory(ours, model):
    own = dict(tensors(ours))
    same("names of to_transformers()", list(own), [name for name, _ in tensors(model)])
    for name, tensor in tensors(model):
        same(f"{name} handed over", tensor is own[name], True)
    for name, tensor in model.state_dict().items():
        same(f"{name} in memory", tensor.data_ptr(), own[name].data_ptr())


def alone(cases, seed):
    """The same without torch."""
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run([sys.executable, HERE / "weights_alone.py", str(seed)], input=lines, capture_output=True, text=True)
    if done.returncode != 0:
        raise Differs(f"without torch: {done.stderr[-500:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def run(cases, seed, nearly):
    """All models of a family from one seed; the number of those that were run."""
    cases = [case for case in cases if attempt(lambda: made_by_reference(case))[1] is None]
    torch.manual_seed(seed)
    theirs = [made_by_reference(case) for case in cases]
    after = torch.rand(3), torch.randn(3)
    torch.manual_seed(seed)
    ours = [made_here(case) for case in cases]
    same("the generator afterwards", [t.tolist() for t in (torch.rand(3), torch.randn(3))], [t.tolist() for t in after])
    ran = 0
    for case, own, their in reversed(list(zip(cases, ours, theirs))):
        try:
            compare(own, their, nearly)
            ran += compare_running(own, their, nearly)
        except Differs as e:
            raise Differs(f"{case['id']}: {e}") from None
    # Gradients or a run have changed nothing: these are the weights as drawn.
    untouched = [i for i in range(len(cases)) if i % 3 == 1]
    for i, answer in enumerate(alone([{**case, "touch": i not in untouched} for i, case in enumerate(cases)], seed)):
        if answer is None:
            same(f"{cases[i]['id']} is untouched", i in untouched, True)
            continue
        if nearly:
            continue
        fresh = {name: hashlib.sha256(bytes_of(t)).hexdigest() for name, t in tensors(theirs[i])}
        same(f"{cases[i]['id']} without torch", answer, fresh)
    return ran


def cases_of(file, args, pick):
    found = [json.loads(line) for line in file.read_text().splitlines()]
    found = [c for c in found if "tree" in c and "set" not in c and "dtype" not in c and 0 < c.get("params", 0) < MOST]
    found = found if args.all else pick.sample(found, min(CASES, len(found)))
    return [{"id": c["id"], "class": c["class"], "config": c["config"], "plain": i % 2 == 0} for i, c in enumerate(found)]


def main():
    args = arguments()
    pick = random.Random(args.seed)
    files = [file for file in sorted(GOLDEN.glob("*/digests.jsonl")) if not args.families or file.parent.name in args.families]
    named = [(file.parent.name, (file.parent.name, cases_of(file, args, pick))) for file in files]
    ran = []
    bad = sweep(named, lambda family: ran.append(run(family[1], args.seed, family[0] in NEARLY) if family[1] else 0))
    print(f"{sum(len(cases) for _, (_, cases) in named)} models, {sum(ran)} of them run, {bad} families with differences")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
