"""Loading beside transformers and accelerate, in one process: reference_load.py [--all] [--seed N] [FAMILY ...]

Small models of tests/golden are made and saved by the reference, in one file or in shards, whole or with tensors left out. from_pretrained()
gives the same weights, dtypes and lists of names, or an error where the reference raises one; load_checkpoint_in_model() fills the same
tensors, leaves the same ones empty, and writes the same files for those that go to disk. Exit status 1 and a line for every difference,
77 where the reference is not installed.
"""
import json
import pathlib
import random
import sys
import tempfile
import warnings

import reference  # which has looked for the reference, and ends where there is none

try:
    import accelerate
    from safetensors.torch import load_file, save_file
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(reference.SKIPPED)
import tare  # noqa: E402
import torch  # noqa: E402

MOST = 3_000_000  # parameters
warnings.filterwarnings("ignore")


def saved(case, folder, pick):
    """The reference's model of a case in a folder, or None where it cannot be made."""
    _, theirs = reference.configs(case)
    their_class = reference.class_of(case["class"], case["config"])
    torch.manual_seed(1)
    model, error = reference.attempt(lambda: their_class(theirs))
    if error is None:
        _, error = reference.attempt(lambda: model.save_pretrained(folder, max_shard_size=pick.choice(["50GB", "100KB"])))
    return None if error is not None else model


def spoil(folder, pick):
    """Leaves out some tensors, and adds one."""
    file = pathlib.Path(folder) / "model.safetensors"
    if not file.exists() or pick.random() < 0.5:
        return
    tensors = load_file(file)
    for name in pick.sample(sorted(tensors), min(len(tensors) - 1, 2)):
        del tensors[name]
    save_file({**tensors, "extra.weight": torch.ones(2)}, file, metadata={"format": "pt"})


def same_tensors(what, ours, theirs, but=()):
    ours, theirs = dict(ours), dict(theirs)
    reference.same(f"{what}: names", list(ours), list(theirs))
    for name, their in theirs.items():
        own = ours[name]
        reference.same(f"{what}: {name} is empty", own.is_meta, their.is_meta)
        reference.same(f"{what}: {name}", (own.dtype, tuple(own.shape)), (their.dtype, tuple(their.shape)))
        if not their.is_meta and name not in but and not torch.equal(bits(own), bits(their)):
            raise reference.Differs(f"{what}: {name} has other values")


def bits(tensor):
    return tensor.detach().contiguous().view(torch.uint8)


def scalar_safe(named):
    """view() of bytes is for tensors with a dimension."""
    return [(name, t.reshape(1) if t.dim() == 0 and not t.is_meta else t) for name, t in named]


def both(make_ours, make_theirs, what):
    own, own_error = reference.attempt(make_ours)
    their, their_error = reference.attempt(make_theirs)
    if getattr(own_error, "code", "") == "incomplete" and " conversion" in str(own_error):
        return None, None  # experts of which some are left out: refused here, in whatever part of the model
    if (own_error is None) != (their_error is None):
        raise reference.Differs(f"{what}: {own_error!r:.300} | reference: {their_error!r:.300}")
    return own, their


def compare_from_pretrained(case, folder, pick):
    how = {"output_loading_info": True}
    if pick.random() < 0.5:
        how["dtype"] = pick.choice([torch.float16, "bfloat16", "float32", "auto"])
    what = f"from_pretrained({how})"
    their_class = reference.class_of(case["class"], case["config"])
    own, their = both(lambda: getattr(tare, case["class"]).from_pretrained(folder, **how), lambda: their_class.from_pretrained(folder, **how), what)
    if own is None:
        return
    (own, own_info), (their, their_info) = own, their
    for key in ("missing_keys", "unexpected_keys"):
        reference.same(f"{what}: {key}", sorted(own_info[key]), sorted(their_info[key]))
    drawn = {name for name, _ in their.named_parameters(remove_duplicate=False)
             if any(name == key or name in their.all_tied_weights_keys for key in their_info["missing_keys"])}
    but = set(their_info["missing_keys"]) | drawn
    same_tensors(f"{what}: state", scalar_safe(own.state_dict().items()), scalar_safe(their.state_dict().items()), but)
    same_tensors(f"{what}: buffers", scalar_safe(own.named_buffers()), scalar_safe(their.named_buffers()), but)
    reference.same(f"{what}: parameters", [n for n, _ in own.named_parameters()], [n for n, _ in their.named_parameters()])
    reference.same(f"{what}: training", own.training, their.training)
    reference.same(f"{what}: config", own.config.to_dict(), their.config.to_dict())


def places(model, pick):
    """A map of the modules to cpu and disk, as people write them."""
    names = [name for name, _ in model.named_children()]
    chosen = {name: pick.choice(["cpu", "cpu", "disk"]) for name in names}
    chosen.update({name: "cpu" for name, _ in model.named_parameters(recurse=False)})
    chosen.update({name: "cpu" for name, _ in model.named_buffers(recurse=False)})
    if "cpu" not in chosen.values():  # with everything on disk accelerate fails
        chosen[names[0]] = "cpu"
    return pick.choice([{"": "cpu"}, chosen, chosen, {name: "cpu" for name in names[1:]}])


def models(case, empty):
    """One of each: with parameters on the meta device, or drawn from the same seed."""
    ours, theirs = reference.configs(case)
    their_class = reference.class_of(case["class"], case["config"])
    if not empty:
        torch.manual_seed(5)
        their = their_class(theirs)
        torch.manual_seed(5)
        return getattr(tare, case["class"])(ours), their
    with accelerate.init_empty_weights():
        their = their_class(theirs)
    with tare.init_empty_weights():
        return getattr(tare, case["class"])(ours), their


def compare_load(case, folder, pick):
    empty = pick.random() < 0.7  # without a map accelerate fills no empty model in this version of torch
    own, their = models(case, empty)
    their.tie_weights()
    device_map, buffers, strict = places(their, pick) if empty else None, pick.random() < 0.3, pick.random() < 0.2
    away = device_map is not None and "disk" in device_map.values()
    how = {"device_map": device_map, "strict": strict, "offload_buffers": buffers}
    dtype = pick.choice([None, None, torch.float16, "float32"]) if device_map is not None else None
    if dtype is not None:
        how["dtype"] = dtype
    what = f"load_checkpoint_in_model({how})"
    folders = [tempfile.mkdtemp(dir=folder.parent) if away else None for _ in range(2)]
    own_done, _ = both(lambda: tare.load_checkpoint_in_model(own, folder, offload_folder=folders[0], **how) or True,
                       lambda: accelerate.load_checkpoint_in_model(their, folder, offload_folder=folders[1], **how) or True, what)
    if own_done is None:
        return
    # With a dtype what is not loaded is of that dtype here, too, and so are buffers of modules on disk.
    loaded = keys(folder) - ({n for n, _ in their.named_buffers()} if away else set())
    kept = {*case_kept(their, dtype), *(n for n, t in their.state_dict().items() if dtype is not None and (t.is_meta or n not in loaded))}
    reference.same(f"{what}: what is empty", *([n for n, t in model.state_dict().items() if t.is_meta] for model in (own, their)))
    same_tensors(f"{what}: state", scalar_safe((n, t) for n, t in own.state_dict().items() if n not in kept),
                 scalar_safe((n, t) for n, t in their.state_dict().items() if n not in kept))
    if away:
        compare_files(what, *map(pathlib.Path, folders))


def keys(folder):
    return {key for file in folder.glob("*.safetensors") for key in load_file(file)}


def case_kept(model, dtype):
    """What the class keeps in float32 when it is loaded is kept so here, too; accelerate knows nothing of it."""
    words = list(model._keep_in_fp32_modules or ()) + list(model._keep_in_fp32_modules_strict or ())
    own_dtype = [name for name in model.state_dict() if reference.may_lie_elsewhere(name)]  # that which the constructor gave it
    return own_dtype + [name for name in model.state_dict() if dtype is torch.float16 and any(word in name for word in words)]


def compare_files(what, ours, theirs):
    reference.same(f"{what}: files", sorted(f.name for f in ours.iterdir()), sorted(f.name for f in theirs.iterdir()))
    for file in theirs.iterdir():
        if file.suffix == ".json":
            reference.same(f"{what}: {file.name}", json.loads((ours / file.name).read_text()), json.loads(file.read_text()))
        elif file.read_bytes() != (ours / file.name).read_bytes():
            raise reference.Differs(f"{what}: {file.name} has other bytes")


def run(case, seed):
    pick = random.Random(f"{seed} {case['id']}")
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place) / "model"
        if saved(case, folder, pick) is None:
            return 0
        spoil(folder, pick)
        compare_from_pretrained(case, folder, pick)
        compare_load(case, folder, pick)
    return 1


def main():
    args = reference.arguments()
    random.seed(args.seed)
    done = []
    found = (case for case in reference.cases(random, args.all, 1, args.families) if case.get("params", MOST) < MOST)
    bad = reference.sweep(((case["id"], case) for case in found), lambda case: done.append(run(case, args.seed)))
    print(f"{sum(done)} folders, {bad} with differences")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
