"""Config objects: values by attribute, as transformers has them."""
import json

from tare import _tare
from tare._types import dtype_name, dtype_named

_missing = object()
# Kept on the object itself, not in the config.
_OWN = frozenset(("_handle_", "_parent", "_key", "_parts", "_live"))
# Under these names a config is asked for its attention implementation.
_ATTENTION = ("attn_implementation", "_attn_implementation")


def _plain(value):
    """What JSON has no word for, as it has words."""
    if isinstance(value, PreTrainedConfig):
        return value.to_dict()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if type(value).__name__ == "dtype":
        return dtype_name(value)
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        return item()
    raise TypeError(f"a config holds what JSON can say, and {value!r} is a {type(value).__name__}")


def _json(value):
    return json.dumps(value, default=_plain, allow_nan=True)


def _integer_keys(labels):
    """As numbers, where they all are some: what a user sets later is anything."""
    try:
        return {int(key): value for key, value in labels.items()}
    except (AttributeError, ValueError):
        return labels


def _read_dict(values):
    """to_dict() from JSON, whose keys are all text."""
    if "id2label" in values:
        values["id2label"] = _integer_keys(values["id2label"])
    for value in values.values():
        if isinstance(value, dict) and "model_type" in value:
            _read_dict(value)
    return values


class PreTrainedConfig:
    """The values that a model is built from. Attributes are read and set by the names of the model's config.json, or by an alias."""

    model_type = ""
    attribute_map = {}

    def __init__(self, *args, **kwargs):
        if args:
            raise ValueError(f"{type(self).__name__} accepts only keyword arguments, but found {len(args)} positional ones")
        if type(self) is PreTrainedConfig:
            raise TypeError("PreTrainedConfig is the base of the config classes: make a LlamaConfig, BertConfig, ... or AutoConfig.for_model(type)")
        parts = {key: value for key, value in kwargs.items() if isinstance(value, PreTrainedConfig)}
        _start(self, _tare.config_parse(_json(kwargs), type(self).__name__))
        for key, part in parts.items():
            self._adopt(key, part)

    # ---- where the values are ----

    @property
    def _handle(self):
        """A part's is asked of its parent, which may have another one by now."""
        if self._parent is None:
            return self._handle_
        part = self._parent._handle.part(self._key)
        if part is None:
            raise AttributeError(f"this config was {self._key} of another one, which has something else there now")
        return part

    def _adopt(self, key, part):
        """The config object `part` becomes the one that is kept under the key."""
        own = self._handle.part(key)
        if own is None:
            return
        part.__dict__.update(_handle_=None, _parent=self, _key=key, _live={})
        self._parts[key] = part

    def _settle(self):
        """Takes over what was changed inside lists and dicts that were handed out."""
        for key, (value, before) in list(self._live.items()):
            now = _json(value)
            if now != before:
                self._handle.set(key, now)
                self._live[key] = (value, now)
        for part in self._parts.values():
            part._settle()

    def _for_build(self):
        self._settle()
        return self._handle

    def _after_build(self, handle):
        """A model's constructor writes what it chose into the config that it was given."""
        if self._parent is None:
            self.__dict__["_handle_"] = handle
        else:
            self._parent._handle.set_part(self._key, handle)
        _forget(self)

    # ---- attributes ----

    def __getattr__(self, name):
        if name in _OWN or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(name)
        key = self.attribute_map.get(name, name)
        if key in _ATTENTION:
            key = "_attn_implementation"
        if key in self._parts:
            return self._parts[key]
        handle = self._handle
        if handle.part(key) is not None:
            return self._part(key)
        if key in self._live:
            return self._live[key][0]
        text = handle.get(key)
        if text is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self._value(key, text)

    def _part(self, key):
        part = object.__new__(named(self._handle.part(key).class_name))
        part.__dict__.update(_handle_=None, _parent=self, _key=key, _parts={}, _live={})
        self._parts[key] = part
        return part

    def _value(self, key, text):
        value = json.loads(text)
        if key in ("dtype", "torch_dtype") and isinstance(value, str):
            return dtype_named(value)
        if key == "id2label":
            value = _integer_keys(value)
        if isinstance(value, (dict, list)):
            self._live[key] = (value, _json(value))
        return value

    def __setattr__(self, name, value):
        key = self.attribute_map.get(name, name)
        if key in _ATTENTION:
            key = "_attn_implementation"
        self._settle()
        if isinstance(value, PreTrainedConfig):
            self._handle.set_part(key, value._for_build())
            self._parts.pop(key, None)
            self._live.pop(key, None)
            self._adopt(key, value)
            return
        self._handle.set(key, _json(value))
        _forget(self)
        if isinstance(value, (dict, list)):
            self._live[key] = (value, _json(value))

    def __dir__(self):
        return sorted({*object.__dir__(self), *self.to_dict(), *self.attribute_map})

    def __eq__(self, other):
        return isinstance(other, PreTrainedConfig) and type(self) is type(other) and self.to_dict() == other.to_dict()

    __hash__ = None

    def __repr__(self):
        return f"{type(self).__name__} {self.to_json_string()}"

    def _repr_html_(self):
        from tare._html import of_config
        return of_config(self)

    def __iter__(self):
        return iter(self.to_dict())

    def __copy__(self):
        return _wrap(self._for_build().copy())

    def __deepcopy__(self, memo):
        return self.__copy__()

    def __reduce__(self):
        return _unpickle, (type(self).__name__, self.to_dict(), self._attn_implementation)

    # ---- as text ----

    def to_dict(self):
        """All values, with the defaults."""
        return _read_dict(json.loads(self._for_build().to_dict()))

    def to_diff_dict(self):
        """The values that differ from the defaults."""
        return _read_dict(json.loads(self._for_build().to_json(True)))

    def to_json_string(self, use_diff=True):
        """JSON with sorted keys; with use_diff only what differs from the defaults."""
        return self._for_build().to_json(bool(use_diff))

    def to_json_file(self, json_file_path, use_diff=True):
        """Writes to_json_string() to a file."""
        with open(json_file_path, "w", encoding="utf-8") as file:
            file.write(self.to_json_string(use_diff))

    def save_pretrained(self, save_directory):
        """Writes config.json into a folder, which is made when it is not there."""
        import os
        os.makedirs(save_directory, exist_ok=True)
        self.to_json_file(os.path.join(save_directory, "config.json"))

    def update(self, config_dict):
        """Sets every attribute of a dict."""
        for key, value in config_dict.items():
            setattr(self, key, value)

    def get_text_config(self, decoder=None, encoder=None):
        """The part for text, or the config itself where it is one."""
        names = {(True, False): ("decoder", "generator", "text_config"), (False, True): ("text_encoder", "text_config")}.get(
            (bool(decoder), bool(encoder)), ("text_encoder", "decoder", "generator", "text_config"))
        found = [getattr(self, name) for name in names if isinstance(getattr(self, name, None), PreTrainedConfig)]
        if len(found) > 1:
            raise ValueError(f"more than one part of this {type(self).__name__} could be the text config: say decoder=True or encoder=True")
        return found[0] if found else self

    # ---- from elsewhere ----

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, **kwargs):
        """The config of a built-in id, a model type, a config.json or a folder that holds one; kwargs change values of it."""
        unused_too = kwargs.pop("return_unused_kwargs", False)
        config, rest = _opened(pretrained_model_name_or_path, cls.__name__, kwargs)
        return (config, rest) if unused_too else config

    @classmethod
    def from_dict(cls, config_dict, **kwargs):
        """The config of a dict, as config.json holds it; kwargs change values of it."""
        unused_too = kwargs.pop("return_unused_kwargs", False)
        values = {**config_dict, **{key: kwargs.pop(key) for key in list(kwargs) if key in _MADE_WITH}}
        config = _wrap(_tare.config_parse(_json(values), cls.__name__))
        rest = _changed(config, kwargs)
        return (config, rest) if unused_too else config

    @classmethod
    def from_json_file(cls, json_file):
        """The config of a JSON file."""
        with open(json_file, encoding="utf-8") as file:
            return cls.from_dict(json.load(file))


# Values that a config is made with: those that follow from them are not those of the file then.
_MADE_WITH = ("num_labels", "attn_implementation", "experts_implementation", "output_attentions", "torch_dtype", "dtype", "name_or_path")
# Of from_pretrained(), and no values of a config.
_OF_LOADING = ("cache_dir", "force_download", "local_files_only", "token", "revision", "subfolder", "trust_remote_code", "code_revision", "proxies",
               "resume_download", "use_auth_token", "_from_auto", "_from_pipeline")


def _start(config, handle):
    config.__dict__.update(_handle_=handle, _parent=None, _key=None, _parts={}, _live={})


def _forget(config):
    """Values that were handed out, and are others now, are asked for again."""
    for key, (_, before) in list(config._live.items()):
        now = config._handle.get(key)
        if now is None or _json(json.loads(now)) != before:
            del config._live[key]
    for key, part in list(config._parts.items()):
        if config._handle.part(key) is None:
            del config._parts[key]
        else:
            _forget(part)


def _wrap(handle):
    config = object.__new__(named(handle.class_name))
    _start(config, handle)
    return config


def _unpickle(name, values, attention):
    config = named(name)(**values)
    if attention is not None:
        config._attn_implementation = attention
    return config


def _changed(config, kwargs):
    """Sets the values that the config has; the others are returned."""
    rest = {}
    for key, value in kwargs.items():
        if not hasattr(config, key):
            rest[key] = value
            continue
        current = getattr(config, key)
        if isinstance(current, PreTrainedConfig) and isinstance(value, dict):
            value = type(current)(**{**current.to_dict(), **value})
        setattr(config, key, value)
    return rest


def _opened(source, class_name, kwargs):
    import os
    source = os.fspath(source)
    if "/" not in source and os.path.exists(source):
        source = os.path.join(".", source)
    for key in _OF_LOADING:
        kwargs.pop(key, None)
    if kwargs.get("dtype") == "auto" or kwargs.get("torch_dtype") == "auto":
        kwargs = {key: value for key, value in kwargs.items() if key not in ("dtype", "torch_dtype")}
    made_with = [f"{key}={_json(kwargs.pop(key))}" for key in list(kwargs) if key in _MADE_WITH]
    try:
        handle = _tare.config_open(source, class_name, made_with)
    except ValueError as e:
        if e.code == "unknown_model_type" and not os.path.exists(source) and not source.startswith("{"):
            raise _located(OSError(f"{e}\nnothing is fetched: {source!r} is no folder or file here, no built-in id and no model type"), e) from None
        raise
    config = _wrap(handle)
    return config, _changed(config, kwargs)


def _located(error, like):
    error.code, error.path = like.code, like.path
    return error


class AutoConfig:
    """Picks the config class by model type."""

    def __init__(self):
        raise OSError("AutoConfig is not made itself: AutoConfig.from_pretrained(...) and AutoConfig.for_model(...) make the class that fits")

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, **kwargs):
        """The config of a built-in id, a model type, a config.json or a folder that holds one; kwargs change values of it."""
        import os
        unused_too = kwargs.pop("return_unused_kwargs", False)
        kwargs["name_or_path"] = os.fspath(pretrained_model_name_or_path)
        config, rest = _opened(pretrained_model_name_or_path, None, kwargs)
        return (config, rest) if unused_too else config

    @classmethod
    def for_model(cls, model_type, *args, **kwargs):
        """The config class of a model type, made with kwargs."""
        types = _tare.types()
        if model_type not in types:
            from tare._names import near
            raise ValueError(f"unknown model type {model_type!r}{near(str(model_type), types)}")
        return named(_class_of_type(types[model_type]))(*args, **kwargs)


def _class_of_type(model_type):
    return next(name for name, (_, of) in _tare.config_classes().items() if of == model_type)


# ---- classes, made when asked for -----------------------------------------------------------------------------------

_classes = {"PreTrainedConfig": PreTrainedConfig, "PretrainedConfig": PreTrainedConfig, "AutoConfig": AutoConfig}


def _help_of(name, model_type, fields):
    lines = [f"The config of model type {model_type!r}. Values and their defaults:", ""]
    for field, stored, kind, preset in fields:
        default = f" = {preset}" if preset is not None and len(preset) <= 60 else ""
        lines.append(f"    {field}: {kind}{default}" if stored is None else f"    {field}: another name of {stored}")
    return "\n".join(lines)


def named(name):
    """The config class of that name."""
    if name not in _classes:
        fields = _tare.config_fields(name)
        model_type = _tare.config_classes()[name][1]
        aliases = {field: stored for field, stored, _, _ in fields if stored is not None}
        body = {"__module__": "tare", "__qualname__": name, "model_type": model_type, "attribute_map": aliases,
                "__doc__": _help_of(name, model_type, fields)}
        _classes.setdefault(name, type(name, (PreTrainedConfig,), body))
    return _classes[name]
