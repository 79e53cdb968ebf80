"""Models with the weights of a checkpoint: from_pretrained(), load_checkpoint_in_model(), and layers one at a time."""
import json
import os

from tare import _check, _tare
from tare._plan import device_of
from tare._types import dtype_name

_AUTO = ("auto", "balanced", "balanced_low_0", "sequential")
# Of from_pretrained(), and without a meaning where nothing is fetched and nothing is run.
_WITHOUT_MEANING = ("cache_dir", "force_download", "local_files_only", "token", "revision", "trust_remote_code", "code_revision", "proxies",
                    "resume_download", "use_auth_token", "low_cpu_mem_usage", "_from_auto", "_from_pipeline", "_commit_hash", "tqdm_class", "mirror",
                    "_fast_init", "weights_only", "offload_folder", "offload_state_dict", "offload_buffers", "use_kernels", "allow_all_kernels")
_REFUSED = ("state_dict", "quantization_config", "gguf_file", "key_mapping", "tp_plan", "tp_size", "device_mesh", "distributed_config", "from_tf",
            "from_flax", "kernel_config", "adapter_kwargs")


# ---- devices --------------------------------------------------------------------------------------------------------


def _place(device):
    """"cpu", or "meta" for what is not loaded."""
    name = str(device)
    if name in ("cpu", "disk", "meta"):
        return "cpu" if name == "cpu" else "meta"
    raise ValueError(f"the device map names {device!r}, and tare loads into this machine's memory alone: 'cpu', or 'disk' and 'meta' for what stays "
                     "where it is. Tensors are torch's own where torch is imported, and .to() moves them on")


def _whole_map(device_map, model, max_memory):
    """device_map= as a dict."""
    if isinstance(device_map, str) and device_map in _AUTO:
        from tare._plan import _host, infer_auto_device_map
        room = _host() if max_memory is None else max_memory
        room = {device: size for device, size in room.items() if not isinstance(device, int) and device != "mps"}
        return infer_auto_device_map(model, room, sorted(model._no_split_modules or []))
    if isinstance(device_map, dict):
        return dict(device_map)
    if max_memory is not None:
        raise ValueError(f"max_memory goes with device_map='auto', and not with {device_map!r}")
    return {"": device_map}


def _covered(model, device_map):
    """Raises ValueError for tensors that the map leaves out."""
    lacking = [t._path for t in model._tensors() if t._persistent and device_of(device_map, t._path) is None]
    if lacking:
        raise ValueError(f"the device map gives no device for {_some(lacking)}")


# ---- from_pretrained() ----------------------------------------------------------------------------------------------


def _opened(source, variant, subfolder):
    try:
        return _check.opened(source, variant, subfolder)
    except OSError as e:
        if os.fspath(source) in _tare.ids() and not os.path.exists(source):
            from tare._config import _located
            raise _located(OSError(f"{source} is built in as a config alone, and its weights are not here: AutoModel.from_config() makes it with "
                                   f"fresh ones, and a folder with its files is loaded. Nothing is fetched ({e})"), e) from None
        raise


def _config_and_handle(files, config, which, dtype, attention, dequantize, changes):
    """The config object, and the model of the library that is loaded into."""
    from tare._config import AutoConfig, PreTrainedConfig, _changed, _wrap
    class_name, auto_class = which.get("class_name"), which.get("auto_class")
    if config is None:
        handle = files.model(None, class_name, auto_class, dtype, attention, dequantize)
        config = _wrap(handle.config())
        rest = _changed(config, changes)
        if not changes:
            return config, handle
    else:
        config = config.__copy__() if isinstance(config, PreTrainedConfig) else AutoConfig.from_pretrained(config)
        handle = files.model(config.to_json_string(use_diff=False), class_name, auto_class, dtype, attention, dequantize)
        rest = changes
    if rest:
        raise TypeError(f"from_pretrained() knows no {', '.join(rest)}, and {type(config).__name__} has no such value, or was given whole")
    if getattr(config, "quantization_config", None) is not None:  # then the files say how its weights are held
        return config, files.model(config.to_json_string(use_diff=False), handle.class_name, None, dtype, attention, dequantize)
    return config, _tare.model_make(config._for_build(), class_name=handle.class_name, dtype=dtype or handle.dtype, attn=attention)


def _some(names):
    return f"{', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}"


def _warn(model, files, report):
    import warnings
    said = []
    for names, what in ((report["missing"], "not in the files, and drawn anew"), (report["unexpected"], "in the files, and not in the model"),
                        ([row[2] for row in report["rows"] if row[0] == "shape"], "of another shape in the files, and drawn anew")):
        if names:
            said.append(f"{_some(names)} {what}")
    if said:
        warnings.warn(f"{type(model).__name__} out of {files.dir}: {'; '.join(said)}. model.check(folder) tells more", stacklevel=4)


def _info(report):
    return {"missing_keys": set(report["missing"]), "unexpected_keys": set(report["unexpected"]),
            "mismatched_keys": {(row[2], row[9], row[7]) for row in report["rows"] if row[0] == "shape"}, "error_msgs": []}


def _generation(files):
    """The folder's own settings of generation."""
    file = os.path.join(files.dir, "generation_config.json")
    if not os.path.exists(file):
        return None
    with open(file, encoding="utf-8") as text:
        return json.load(text)


def _seed():
    from tare._random import initial_seed
    return initial_seed() % 0x1_0000_0000_0000_0000


def _fill(model, files, device_map, options, mapped):
    """The weights; with a device map those that it puts here."""
    handle = model._handle
    places = {} if device_map is None else {key: _place(device) for key, device in device_map.items()}
    whole = all(place == "cpu" for place in places.values())
    if whole:
        handle.hold("cpu", "cpu", None)
        model.__dict__["_places"] = ("cpu", "cpu")
    if whole or "cpu" in places.values():
        try:
            handle.load(files, options, None, None if whole else json.dumps(places), None if whole else "cpu", mapped, _seed(), True)
        except ValueError as e:
            if e.code != "incomplete":
                raise
            from tare._config import _located
            raise _located(RuntimeError(str(e)), e) from None


def from_pretrained(which, source, more, kwargs):
    """A model of the class, or of that which an auto class picks, with the weights of a folder."""
    from tare import _context
    from tare._model import named
    if more:
        raise TypeError("from_pretrained() takes a folder, and all else by name")
    for name in _REFUSED:
        if kwargs.pop(name, None) is not None:
            raise NotImplementedError(f"from_pretrained({name}=...) is not available: tare loads safetensors files as they are")
    if kwargs.pop("use_safetensors", None) is False:
        raise NotImplementedError("from_pretrained(use_safetensors=False) is not available: pickles are not read")
    for name in _WITHOUT_MEANING:
        kwargs.pop(name, None)
    if _context.places() == ("meta", "meta"):
        raise RuntimeError("from_pretrained() loads weights, and on the meta device there are none: leave the context, or use from_config()")
    old = kwargs.pop("torch_dtype", None)
    dtype = kwargs.pop("dtype", old)
    dtype = None if dtype is None or (isinstance(dtype, str) and dtype == "auto") else dtype_name(dtype)
    attention = kwargs.pop("attn_implementation", None)
    attention = json.dumps(attention) if isinstance(attention, dict) else attention
    device_map, max_memory = kwargs.pop("device_map", None), kwargs.pop("max_memory", None)
    ignore_shapes, with_info = kwargs.pop("ignore_mismatched_sizes", False), kwargs.pop("output_loading_info", False)
    dequantize = bool(kwargs.pop("dequantize", False))
    mapped, generation = kwargs.pop("mapped", True), kwargs.pop("generation_config", None)
    files = _opened(source, kwargs.pop("variant", None), kwargs.pop("subfolder", None))
    own = kwargs.get("config") is None
    config, handle = _config_and_handle(files, kwargs.pop("config", None), which, dtype, attention, dequantize, kwargs)
    model = object.__new__(named(handle.class_name))
    model._start(handle, config, places=("meta", "meta"))
    if own:
        config.name_or_path = os.fspath(source)
    if device_map is not None:
        device_map = _whole_map(device_map, model, max_memory)
        _covered(model, device_map)
        model.__dict__.update(hf_device_map=device_map, _device_map=device_map)
    options = _check.options(like="transformers", allow="mismatched" if ignore_shapes else ())
    _fill(model, files, device_map, options, bool(mapped))
    report = files.check(handle, options)
    _warn(model, files, report)
    settings = generation.to_dict() if generation is not None else _generation(files)
    model.__dict__.update(_generation=settings, name_or_path=os.fspath(source), training=False)
    return (model, _info(report)) if with_info else model


def save(model, folder, max_shard_size):
    """Writes a checkpoint."""
    empty = [t._path for t in model._tensors() if t.is_meta and t._persistent]
    if empty:
        raise NotImplementedError(f"{type(model).__name__} cannot be saved: {_some(empty)} without values")
    if "meta" not in model._places:
        model._handle.draw()
    model._handle.save(os.fspath(folder), str(max_shard_size))


# ---- load_checkpoint_in_model() -------------------------------------------------------------------------------------


def _files_of(checkpoint):
    if not os.path.exists(checkpoint):
        raise ValueError(f"{checkpoint} is not there: load_checkpoint_in_model() takes a safetensors file, an index of several, or a folder with "
                         "either")
    return _check.opened(checkpoint)


def _sorted_out(model, files, strict, device_map):
    """Names that files and model share, and the model's others; what accelerate refuses is refused."""
    saved = {t._path: t for t in model._tensors() if t._persistent}
    shapes = {key: shape for key, _, shape, _ in files.tensors()}
    shared = [key for key in shapes if key in saved]
    for key in shared:
        if shapes[key] != saved[key]._sizes:
            raise (RuntimeError if device_map is None else ValueError)(
                f"{key} has the shape {list(shapes[key])} in the file and {list(saved[key]._sizes)} in the model")
    unexpected = [key for key in shapes if key not in saved]
    given = {saved[key]._owner or key for key in shared}
    missing = [path for path, t in saved.items() if (t._owner or path) not in given]
    if strict and unexpected:
        raise (RuntimeError if device_map is None else ValueError)(f"the model has no tensor {unexpected[0]}")
    if strict and missing and device_map is None:
        raise RuntimeError(f"the checkpoint has no tensor {missing[0]}")
    if unexpected and not strict:
        import warnings
        warnings.warn(f"not used of {files.dir}: {_some(unexpected)}. {type(model).__name__}.from_pretrained() knows other names of tensors",
                      stacklevel=3)
    return shared, missing


def _offload(files, names, folder):
    """The files that accelerate keeps offloaded weights in: one each, and an index."""
    kinds = {key: (dtype, shape) for key, dtype, shape, _ in files.tensors()}
    os.makedirs(folder, exist_ok=True)
    index = {}
    for name in names:
        with open(os.path.join(folder, f"{name}.dat"), "wb") as file:
            file.write(files.read(name))
        dtype, shape = kinds[name]
        index[name] = {"dtype": dtype, "shape": list(shape)}
    path = os.path.join(folder, "index.json")
    if os.path.isfile(path):
        with open(path, encoding="utf-8") as file:
            index = {**json.load(file), **index}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(index, file, indent=2)


def _in_dtype(model, dtype):
    """The model, still empty, in another dtype."""
    handle = model._handle
    if dtype is None or dtype_name(dtype).replace("torch.", "") == handle.dtype:
        return
    if handle.is_drawn or "meta" not in model._places[:1]:
        raise ValueError(f"{type(model).__name__} has weights in {handle.dtype}: another dtype is for a model that is empty, as it is made under "
                         "init_empty_weights()")
    made = _tare.model_make(model.config._for_build(), class_name=handle.class_name, dtype=dtype_name(dtype).replace("torch.", ""))
    model.__dict__.update(_handle=made, _made={})
    if model._places[1] != "meta":
        from tare import _random
        made.hold(*model._places, _random.here())


def _by_device(model, names, device_map, offload_buffers):
    """Names that are loaded, and those that go to disk."""
    if device_map is None:
        return names, []
    tensors = model._tensors()
    for t in tensors:
        for name in (t._path, t._owner) if t._owner else ():
            if t._is_parameter and device_of(device_map, name) is None:
                raise ValueError(f"the device map gives no device for {name}, which is tied")
    buffers = {t._path for t in tensors if not t._is_parameter}
    here, away = [], []
    for name in names:
        device = device_of(device_map, name)
        if device is None:
            raise ValueError(f"the device map gives no device for {name}")
        if _place(device) == "cpu":
            here.append(name)
        elif device == "disk" and (offload_buffers or name not in buffers):
            away.append(name)
    return here, away


def _take(model, files, names, missing):
    """Loads the names: into memory of their own where the model has none, else over what it has."""
    handle = model._handle
    options = _check.options(allow=_check._ALLOWED)
    if not names:
        return
    if model._places[0] == "meta":
        made = []
        if model._places[1] != "meta":  # buffers that are made come with the load
            made = [t._path for t in model._tensors() if not t._is_parameter and not t._is_held and t._path not in names]
        handle.load(files, options, names + made, None, None, False, _seed(), False)
        model._made.clear()
    elif model.is_pending and not missing:
        handle.load(files, options, None, None, None, False, _seed(), True)
    else:
        handle.draw()
        handle.load_over(files, options, names)


def load_checkpoint_in_model(model, checkpoint, device_map=None, offload_folder=None, dtype=None, offload_state_dict=False, offload_buffers=False,
                             keep_in_fp32_modules=None, offload_8bit_bnb=False, strict=False, full_state_dict=True, broadcast_from_rank0=False):
    """Loads the tensors of a checkpoint that the model has by the same names, as accelerate does.

    ``device_map`` says where: on ``"cpu"``, or on ``"disk"``, whose tensors are written into ``offload_folder`` and stay empty in the model.
    """
    from tare._plan import _whole
    _whole(model)
    for name, value in (("offload_8bit_bnb", offload_8bit_bnb), ("broadcast_from_rank0", broadcast_from_rank0)):
        if value:
            raise NotImplementedError(f"load_checkpoint_in_model({name}=True) is not available")
    if device_map is not None and "disk" in device_map.values() and offload_folder is None:
        raise ValueError("the device map puts modules on disk: offload_folder= says where their weights are written")
    if keep_in_fp32_modules and dtype is not None and device_map is not None and dtype_name(dtype).endswith("float16"):
        raise NotImplementedError("load_checkpoint_in_model(keep_in_fp32_modules=...) is not available: a class keeps what it keeps in float32")
    files = _files_of(checkpoint)
    names, missing = _sorted_out(model, files, strict, device_map)
    here, away = _by_device(model, names, device_map, offload_buffers)
    if away and model._places[0] != "meta":
        raise ValueError(f"{type(model).__name__} has weights, and parts that go to disk are for a model that is empty: make it under "
                         "init_empty_weights()")
    if device_map is not None:
        _in_dtype(model, dtype)
        model.__dict__["_device_map"] = device_map
    _take(model, files, here, missing)
    if away:
        _offload(files, away, offload_folder)


# ---- layers ---------------------------------------------------------------------------------------------------------


class _Part:
    """What a tensor asks its model, for a layer."""

    __slots__ = ("_handle", "_places", "_made")

    def __init__(self, handle):
        self._handle = handle
        self._places = ("meta", "meta")
        self._made = {}


class Layer:
    """A part of a model that stays whole, with its weights: a layer, a module without modules below, a tensor of the model's own."""

    __slots__ = ("path", "class_name", "nbytes", "_part")

    def __init__(self, handle, path, class_name, nbytes):
        self.path, self.class_name, self.nbytes = path, class_name, nbytes
        self._part = _Part(handle)

    def _named(self, prefix, wanted):
        from tare._module import Parameter, Tensor, given
        handle = self._part._handle
        found = [handle.find(self.path, Parameter, Tensor)] if self.class_name is None else handle.tensors(self.path, Parameter, Tensor)
        cut = len(self.path) + 1 if self.class_name is not None else len(self.path.rpartition(".")[0]) + ("." in self.path)
        for t in found:
            if wanted(t):
                t._model = self._part
                yield prefix + t._path[cut:], given(t, t._is_parameter)

    def named_parameters(self, prefix=""):
        """Names below the layer, and parameters."""
        return self._named(prefix, lambda t: t._is_parameter)

    def named_buffers(self, prefix=""):
        """Names below the layer, and buffers."""
        return self._named(prefix, lambda t: not t._is_parameter)

    def state_dict(self, prefix=""):
        """Parameters and persistent buffers by their names below the layer: what a module of torch takes by load_state_dict()."""
        return dict(self._named(prefix, lambda t: t._persistent))

    def __repr__(self):
        from tare._html import bytes_text
        return f"<Layer {self.path}: {self.class_name or 'tensor'}, {bytes_text(self.nbytes)}>"


class Layers:
    """The layers of a model in their order, each loaded when it is asked for: iterate once or as often as you like.

    Memory is used again once nobody sees the layer in it: one layer or two are held, and those that you keep.
    """

    def __init__(self, model, files, options):
        self._model, self._files, self._options = model, files, options
        self._free = [self._window()]
        self._units = self._free[0][1]

    def _window(self):
        part = self._model.part()
        return part, part.window(self._files, self._options, _seed())

    def __len__(self):
        return len(self._units)

    @property
    def paths(self):
        """Where the layers stand."""
        return [unit[0] for unit in self._units]

    def _unused(self):
        for window in self._free:
            if window[0].users == 1:
                return window[0]
        self._free.append(self._window())
        return self._free[-1][0]

    def __getitem__(self, at):
        path, class_name, size = self._units[at]
        window = self._unused()
        window.window_load(range(len(self._units))[at])
        return Layer(window.part(), path, class_name, size)

    def __iter__(self):
        # No name here keeps a layer, so that its memory is free when the caller lets go of it.
        for i in range(len(self._units)):
            yield self[i]

    def __repr__(self):
        return f"<Layers of {self._model.class_name} in {self._files.dir}: {len(self)}>"


def layers(folder, model_class=None, *, dtype=None, variant=None, subfolder=None, allow=(), strip_prefix=None, add_prefix=None):
    """The layers of a checkpoint, one at a time in memory, so that the model may be larger than it.

    ``model_class`` is a class or its name; without it, the one that the folder's config names.
    """
    files = _opened(folder, variant, subfolder)
    name = getattr(model_class, "__name__", model_class)
    auto = name is not None and name in _tare.auto_classes()
    model = files.model(None, None if auto else name, name if auto else None, dtype_name(dtype), None)
    return Layers(model, files, _check.options(allow=allow, strip_prefix=strip_prefix, add_prefix=add_prefix))


def layers_of(model, folder, variant, subfolder, **how):
    """The same of a model that is there."""
    return Layers(model._handle, _opened(folder, variant, subfolder), _check.options(**how))
