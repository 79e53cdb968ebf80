"""What a notebook shows: models and modules as a tree that folds, with sizes and devices; configs as tables. No script, nothing from elsewhere."""
from html import escape

from tare._plan import device_of

_STYLE = """<style>
.tare{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;color:inherit;max-width:70em}
.tare details,.tare .leaf{margin-left:1.2em}.tare summary{cursor:pointer;margin-left:-1.2em}
.tare .size,.tare .dim{opacity:.65}.tare .size{float:right;font-variant-numeric:tabular-nums;margin-left:2em}
.tare .bar{display:inline-block;height:.7em;border-radius:2px;vertical-align:baseline}
.tare .room{display:inline-block;width:16em;border:1px solid currentColor;border-radius:3px;line-height:0;padding:1px;margin:0 .6em}
.tare .on{border-left:.55em solid;padding-left:.35em;margin-left:.6em}
.tare table{border-collapse:collapse;background:none}
.tare td{text-align:left;padding:0 1em 0 0;background:none;color:inherit;border:0;vertical-align:top;white-space:pre-wrap}
</style>"""
# Seen on white and on black.
_COLOURS = ("#3b82c4", "#d08a1d", "#3f9d5f", "#b065c0", "#c25b56", "#2f9ea5", "#8a8f2e", "#7d7fd0")
_OFF = {"cpu": "#888888", "disk": "#8a6d55", "meta": "#888888"}
_DEEP_OPEN = 2  # so many levels are unfolded at first


def bytes_text(n):
    """1.5 GB and the like."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n >= size:
            return f"{n / size:.2f} {unit}"
    return f"{n} bytes"


class _Node:
    """A module with what lies below it."""

    __slots__ = ("path", "name", "class_name", "index", "tensors", "kids", "parameters", "bytes", "sign", "devices")

    def __init__(self, index, path, class_name):
        self.index, self.path, self.class_name = index, path, class_name
        self.name = path.rpartition(".")[2]
        self.tensors, self.kids, self.parameters, self.bytes = [], [], 0, 0


def _device(device_map, path):
    found = device_of(device_map, path) if device_map else None
    return None if found is None else str(found)


def _tree(module, device_map):
    """The module as nodes, tensors in their places. Shared tensors count once."""
    rows = module._rows
    nodes = {}
    top = None
    for i in (module._index, *module._below()):
        path, class_name, _, _ = rows[i]
        nodes[path] = node = _Node(i, path, class_name)
        if top is None:
            top = node
        else:
            nodes[path.rpartition(".")[0]].kids.append(node)
    counted = set()
    for t in module._tensors():
        holder = t._path.rpartition(".")[0]
        while holder not in nodes:  # the name of a parameter may have points
            holder = holder.rpartition(".")[0]
        first = t._owner or t._path
        nodes[holder].tensors.append((t, first not in counted))
        counted.add(first)
    _add_up(top, device_map, {})
    return top


def _add_up(node, device_map, signs):
    """Sums, and what makes two modules look alike: class, tensors, devices and what is below."""
    own = []
    devices = set()
    for t, counts in node.tensors:
        device = _device(device_map, t._path)
        devices.add(device)
        own.append((t._path[len(node.path):], t._sizes, t._dtype_name, device, counts))
        if counts:
            node.parameters += t.numel() * t._is_parameter
            node.bytes += t.nbytes
    for kid in node.kids:
        _add_up(kid, device_map, signs)
        node.parameters += kid.parameters
        node.bytes += kid.bytes
        devices |= kid.devices
    node.devices = devices
    key = node.class_name, tuple(own), tuple((kid.name, kid.sign) for kid in node.kids)
    node.sign = signs.setdefault(key, len(signs))


def _runs(kids):
    """Numbered neighbours that look alike, together."""
    runs = []
    for kid in kids:
        last = runs[-1] if runs else None
        if last and kid.name.isdigit() and last[0].name.isdigit() and last[0].sign == kid.sign:
            last.append(kid)
        else:
            runs.append([kid])
    return runs


def _colour(device, order):
    if device in _OFF:
        return _OFF[device]
    return _COLOURS[order.index(device) % len(_COLOURS)] if device in order else "#888888"


def _tags(node, order):
    shown = [device for device in order if device in node.devices]
    return "".join(f'<span class="on" style="border-color:{_colour(device, order)}">{escape(device)}</span>' for device in shown[:4]) + (
        f'<span class="dim"> and {len(shown) - 4} more</span>' if len(shown) > 4 else "")


def _head(run, model, order):
    node = run[0]
    names = node.name if len(run) == 1 else f"{node.name}-{run[-1].name}: {len(run)} x"
    text = model._handle.module_text(node.index)[:-1] if not node.kids and node.path else node.class_name
    size = ""
    if node.bytes:
        size = f"{len(run)} x " if len(run) > 1 else ""
        size = f'<span class="size">{size}{node.parameters:,} <span class="dim">({escape(bytes_text(node.bytes))})</span></span>'
    label = f'<span class="dim">({escape(names)})</span> ' if names else ""
    return f"{size}{label}{escape(text)}{_tags(node, order) if order else ''}"


def _tensor(t, counts):
    kind = "" if t._is_parameter else ", buffer"
    shared = "" if counts else f" = {t._owner}"
    sizes = " x ".join(map(str, t._sizes)) or "scalar"
    return f'<div class="leaf dim">{escape(t._path.rpartition(".")[2])}: {escape(sizes)}, {escape(t._dtype_name + kind + shared)}</div>'


def _branch(run, model, order, depth):
    node = run[0]
    below = "".join(_branch(kids, model, order, depth + 1) for kids in _runs(node.kids)) + "".join(_tensor(*t) for t in node.tensors)
    if not below:
        return f'<div class="leaf">{_head(run, model, order)}</div>'
    unfold = " open" if depth < _DEEP_OPEN and len(run) == 1 and node.kids else ""
    return f"<details{unfold}><summary>{_head(run, model, order)}</summary>{below}</details>"


def _loads(top, device_map, order):
    """A line for each device: what lies there, beside the fullest."""
    loads = dict.fromkeys(order, 0)
    pending = [top]
    while pending:
        node = pending.pop()
        pending += node.kids
        for t, counts in node.tensors:
            device = _device(device_map, t._path)
            if counts and device is not None:
                loads[device] += t.nbytes
    most = max(loads.values(), default=0) or 1
    rows = []
    for device, load in loads.items():
        style = f"width:{100 * load / most:.1f}%;background:{_colour(device, order)}"
        rows.append(f'<tr><td>{escape(device)}</td><td><span class="room"><span class="bar" style="{style}">&nbsp;</span></span></td>'
                    f"<td>{escape(bytes_text(load))}</td></tr>")
    return f"<table>{''.join(rows)}</table>"


def of_module(module):
    """A module and all below it; of a model its device map too."""
    model = module._model
    device_map = model.__dict__.get("_device_map") or {}
    order = list(dict.fromkeys(str(device) for device in device_map.values()))
    top = _tree(module, device_map)
    drawn = _loads(top, device_map, order) if order else ""
    return f'{_STYLE}<div class="tare">{_branch([top], model, order, 0)}{drawn}</div>'


# ---- configs --------------------------------------------------------------------------------------------------------


def _value(value):
    import json
    return json.dumps(value, default=str, ensure_ascii=False)


def _defaults(config):
    """What a config of that class is when nothing is said; some have to be told something."""
    try:
        return type(config)().to_dict()
    except ValueError:
        return None


def _row(key, value, part, stands_out):
    if part is not None:
        return f"<tr><td>{escape(key)}</td><td><details><summary>{escape(type(part).__name__)}</summary>{_table(part)}</details></td></tr>"
    text = escape(_value(value))
    if len(text) > 200 and isinstance(value, (dict, list)):
        text = f"<details><summary>{len(value)} entries</summary>{text}</details>"
    name = f"<b>{escape(str(key))}</b>" if stands_out else escape(str(key))
    return f"<tr><td>{name}</td><td>{text}</td></tr>"


def _table(config):
    from tare._config import PreTrainedConfig
    defaults = _defaults(config)
    rows = []
    for key, value in config.to_dict().items():
        part = getattr(config, key, None) if isinstance(value, dict) else None
        stands_out = defaults is not None and (key not in defaults or defaults[key] != value)
        rows.append(_row(key, value, part if isinstance(part, PreTrainedConfig) else None, stands_out))
    return f"<table>{''.join(rows)}</table>"


def of_config(config):
    """All values; those that are not the defaults stand out."""
    head = f'{escape(type(config).__name__)} <span class="dim">{escape(str(config.model_type))}</span>'
    return f'{_STYLE}<div class="tare"><details open><summary>{head}</summary>{_table(config)}</details></div>'
