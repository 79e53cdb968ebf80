"""infer_auto_device_map() and get_balanced_memory(), with the answers that accelerate 1.15 gives."""
from tare import _tare
from tare._types import dtype_name

# TARE_MAP_INFER, _BALANCED, _BALANCED_LOW_0
_INFER, _BALANCED, _LOW_ZERO = 0, 2, 3
_OUR_MEMORY = 0.9  # of the only accelerator, where nobody said how much may be used


def _whole(model):
    from tare._model import PreTrainedModel
    if not isinstance(model, PreTrainedModel):
        raise TypeError(f"a model of tare is needed, such as AutoModel.from_config(config) makes, and not a {type(model).__name__}")
    return model._handle


def _devices(max_memory):
    """max_memory as rows of name, number, size as text, bytes, whether those are a float."""
    rows = []
    for device, size in max_memory.items():
        number = int(device) if isinstance(device, int) else None
        text = size if isinstance(size, str) else None
        amount = None if text is not None or size is None else size
        if amount is not None and not isinstance(amount, (int, float)):
            raise TypeError(f"the memory of device {device!r} is bytes or a size such as '10GB', and not a {type(size).__name__}")
        if number is None and not isinstance(device, str):
            raise ValueError(f"device {device!r} is not known: there are whole numbers for accelerators, 'mps', 'cpu' and 'disk'")
        rows.append((None if number is not None else device, number or 0, text, amount, isinstance(amount, float)))
    return rows


def _host():
    return {int(name) if numbered else name: size for name, numbered, size in _tare.host_memory()}


def device_of(device_map, path):
    """The device of the longest key that holds the path, or None."""
    while True:
        if path in device_map:
            return device_map[path]
        if not path:
            return None
        path = path.rpartition(".")[0]


def _words(names):
    return [] if names is None else [names] if isinstance(names, str) else list(names)


def _counted_in(dtype):
    """A dtype as the planner reads it: torch's, or one of accelerate's CustomDtype."""
    value = getattr(dtype, "value", None)
    if isinstance(value, str) and type(dtype).__name__ == "CustomDtype":
        return f"custom:{value}"
    name = dtype_name(dtype)
    return name[len("torch."):] if name is not None and name.startswith("torch.") else name


def _plan(model, max_memory, mode, no_split, dtype, special_dtypes, keep_parts=False, offload_buffers=False, fallback=False, budgets_only=False):
    special = [(path, _counted_in(of)) for path, of in (special_dtypes or {}).items()]
    try:
        return _tare.plan_make(_whole(model), _devices(max_memory), mode, _words(no_split), _counted_in(dtype), special, keep_parts,
                               offload_buffers, fallback, budgets_only)
    except ValueError as e:
        if e.code != "bad_type":
            raise
        raise TypeError(str(e)) from None


def _key(name, numbered):
    return int(name) if numbered else name


def infer_auto_device_map(model, max_memory=None, no_split_module_classes=None, dtype=None, special_dtypes=None, verbose=False, clean_result=True,
                          offload_buffers=False, fallback_allocation=False):
    """Where the parts of a model go: accelerate's map, entry for entry and in its order.

    ``max_memory`` says what each device takes: ``{0: "10GiB", "cpu": 30_000_000_000}``; without it, what this host has free. What no
    device has room for goes to ``"disk"``. ``verbose=True`` prints each entry.
    """
    from collections import OrderedDict
    entries, devices, remarks = _plan(model, _host() if max_memory is None else max_memory, _INFER, no_split_module_classes, dtype, special_dtypes,
                                      not clean_result, offload_buffers, fallback_allocation)
    keys = [_key(name, numbered) for name, numbered, *_ in devices]
    device_map = OrderedDict((path, keys[at]) for path, at in entries)
    if verbose:
        for path, device in device_map.items():
            print(f"{path or 'the whole model'} on {device}")
    for remark in remarks:
        import warnings
        warnings.warn(remark, stacklevel=2)
    model.__dict__["_device_map"] = device_map
    return device_map


def get_balanced_memory(model, max_memory=None, no_split_module_classes=None, dtype=None, special_dtypes=None, low_zero=False):
    """max_memory for infer_auto_device_map() with which the accelerators are filled evenly; with low_zero the first one as little as can be."""
    ours = max_memory is None
    max_memory = _host() if ours else max_memory
    alone = [device for device in max_memory if isinstance(device, int)]
    if ours and len(alone) == 1 and max_memory[alone[0]] > 0:
        max_memory[alone[0]] *= _OUR_MEMORY
    _, devices, _ = _plan(model, max_memory, _LOW_ZERO if low_zero else _BALANCED, no_split_module_classes, dtype, special_dtypes, budgets_only=True)
    return {_key(name, numbered): budget if has_budget else None for name, numbered, _, has_budget, budget in devices}
