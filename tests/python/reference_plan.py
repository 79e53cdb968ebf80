"""Device maps beside accelerate, in one process: reference_plan.py [--all] [--seed N]

For models of tests/golden and max_memory in all its forms, infer_auto_device_map() gives the same map in the same order, and
get_balanced_memory() the same memory; where accelerate raises an error, so does the package. Run under PYTHONHASHSEED=0, for accelerate's
order hangs on it. Exit status 1 and a line for every difference, 77 where the reference is not installed.
"""
import logging
import random
import sys
import warnings

import reference  # which has looked for the reference, and ends where there is none

try:
    import accelerate
    from accelerate.utils import CustomDtype, compute_module_sizes, get_balanced_memory
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(reference.SKIPPED)
import tare  # noqa: E402
import torch  # noqa: E402

logging.disable(logging.CRITICAL)
TURNS = 12
UNITS = {"GB": 10**9, "GiB": 2**30, "MB": 10**6, "MiB": 2**20, "KB": 1000, "KiB": 1024, "kb": 125, "Mb": 125_000}


def form(pick, size):
    """An amount near `size` as people write them."""
    kind = pick.randrange(4)
    if kind == 0:
        return int(size)
    if kind == 1:
        return float(size)
    unit = pick.choice(list(UNITS))
    return f"{size / UNITS[unit]:.3f}{unit}" if kind == 2 else f"{max(round(size / UNITS[unit]), 1)}{unit}"


def memory(pick, total):
    devices = pick.choice([[0], [0, 1], [1, 0, "cpu"], [0, 1, 2, "cpu"], ["cpu"], ["cpu", 3, 7], ["mps", "cpu"], [0, "cpu", "disk"], [2, 0, 1], []])
    found = {device: form(pick, total * pick.choice([0.05, 0.2, 0.4, 0.7, 1.5])) for device in devices}
    if devices and pick.random() < 0.05:
        found[pick.choice(["gpu", "cuda:0", 0])] = pick.choice(["10G", "much", -1, None, "1 GB"])
    return found


def options(pick, model):
    some = [name for name, _ in model.named_parameters()]
    types = sorted({type(m).__name__ for m in model.modules()})
    chosen = {}
    if pick.random() < 0.7:
        own = sorted(model._no_split_modules or [])
        chosen["no_split_module_classes"] = pick.choice([own, own, pick.sample(types, 1), types[0], None])
    if pick.random() < 0.4:
        chosen["dtype"] = pick.choice(["float16", "bfloat16", torch.float16, torch.int8, "float64", CustomDtype.INT4, CustomDtype.FP8])
    if some and pick.random() < 0.3:
        chosen["special_dtypes"] = {name: pick.choice(["float32", "int8", torch.float64]) for name in pick.sample(some, min(3, len(some)))}
    return chosen


def answer(make):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            return make(), None, len([w for w in said if w.category is UserWarning])
        except Exception as e:
            return None, e, 0


def same_kinds(found):
    return [(key, value, type(value) is float) for key, value in found.items()]


def compare(ours, theirs, pick, total):
    room, how = memory(pick, total), options(pick, theirs)
    of_map = {key: True for key in ("offload_buffers", "fallback_allocation") if pick.random() < 0.3}
    if pick.random() < 0.3:
        of_map["clean_result"] = False
    what = f"{room!r} {how!r} {of_map!r}"
    own, own_error, _ = answer(lambda: tare.infer_auto_device_map(ours, dict(room), **how, **of_map))
    their, their_error, _ = answer(lambda: accelerate.infer_auto_device_map(theirs, dict(room), **how, **of_map))
    if own_error is not None and getattr(own_error, "code", "") == "no_map" and "never ends" in str(own_error):
        return False  # theirs would not come back
    if (own_error is None) != (their_error is None):
        raise reference.Differs(f"map of {what}: {own_error!r:.200} | reference: {their_error!r:.200}")
    if own is not None and (list(own.items()) != list(their.items()) or type(own) is not type(their)):
        raise reference.Differs(f"map of {what}: {dict(own)} | reference: {dict(their)}")
    low = pick.random() < 0.4
    own, own_error, _ = answer(lambda: tare.get_balanced_memory(ours, dict(room), **how, low_zero=low))
    their, their_error, _ = answer(lambda: get_balanced_memory(theirs, dict(room), **how, low_zero=low))
    if (own_error is None) != (their_error is None):
        raise reference.Differs(f"balance of {what}, {low}: {own_error!r:.200} | reference: {their_error!r:.200}")
    if own is not None and same_kinds(own) != same_kinds(their):
        raise reference.Differs(f"balance of {what}, {low}: {own} | reference: {their}")
    return their_error is not None


def run(case, seed, counts):
    ours, theirs = reference.configs(case)
    own, their = reference.build(case, ours, theirs, direct=False)
    if own is None:
        return
    total = compute_module_sizes(their)[""]
    for turn in range(TURNS):
        counts["errors"] += compare(own, their, random.Random(f"{seed} {case['id']} {turn}"), total)
        counts["maps"] += 1


def main():
    args = reference.arguments()
    random.seed(args.seed)
    counts = {"maps": 0, "errors": 0}
    found = reference.cases(random, args.all, 1, args.families)
    bad = reference.sweep(((case["id"], case) for case in found), lambda case: run(case, args.seed, counts))
    print(f"{counts['maps']} maps and balances ({counts['errors']} errors), {bad} models with differences")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
