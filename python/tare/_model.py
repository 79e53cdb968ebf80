"""Model classes, and what a model says of itself."""
import json

from tare import _context, _random, _tare
from tare._config import PreTrainedConfig, _wrap
from tare._config import named as config_named
from tare._module import Module, Parameter, Tensor, module_view
from tare._types import device_named, dtype_name, dtype_named


class GenerationConfig:
    """The settings of generation that a model's config gives; what it does not give is None."""

    def __init__(self, **kwargs):
        self.__dict__.update(kwargs)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return None

    def to_dict(self):
        """The settings."""
        return dict(self.__dict__)

    def to_json_string(self, use_diff=True):
        """JSON with sorted keys."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def __eq__(self, other):
        return isinstance(other, GenerationConfig) and self.to_dict() == other.to_dict()

    __hash__ = None

    def __repr__(self):
        return f"GenerationConfig {self.to_json_string()}"


class PreTrainedModel(Module):
    """A model: its modules, parameters and buffers as transformers would construct them."""

    config_class = None

    def __init__(self, config, *inputs, **kwargs):
        if type(self) is PreTrainedModel:
            raise TypeError("PreTrainedModel is the base of the model classes: make a LlamaForCausalLM, BertModel, ...")
        if not isinstance(config, PreTrainedConfig):
            raise TypeError(f"{type(self).__name__}(config) needs a config object, such as {self.config_class.__name__}(), "
                            f"and not a {type(config).__name__}")
        if inputs or kwargs:
            raise TypeError(f"{type(self).__name__} takes a config and nothing else; {type(self).__name__}._from_config() takes "
                            "dtype= and attn_implementation=")
        handle = _tare.model_make(config._for_build(), class_name=type(self).__name__, plain=True)
        self._start(handle, config, plain=True)

    def _start(self, handle, config, plain=False, places=None):
        """Takes a model of the library; the config gets what the model chose. Without places it lies where new models do."""
        own = handle.config()
        if own.class_name == type(config).__name__ and not handle.has_own_config:
            config._after_build(own)
        else:
            config = _wrap(own)
        places = places or _context.places()  # of parameters, of buffers
        self.__dict__.update(_handle=handle, _config=config, _places=places, _index=0, _lists=None, _known=None, _plain=plain, _made={},
                             training=True)
        if places != ("meta", "meta"):
            # Its weights come later, and their place in the stream of random numbers is settled now.
            handle.hold(*places, _random.here() if "meta" in places else _random.reserve(handle))

    @property
    def _model(self):
        return self

    def _module_rows(self):
        if self._lists is None:
            rows = self._handle.modules()
            self.__dict__["_lists"] = rows, {row[0]: i for i, row in enumerate(rows)}
        return self._lists[0]

    def _module_index(self, path):
        self._module_rows()
        return self._lists[1].get(path)

    def _module_at(self, index):
        return self if index == 0 else module_view(self, index)

    def _facts(self):
        if self._known is None:
            self.__dict__["_known"] = json.loads(self._handle.text("facts"))
        return self._known

    # ---- making ----

    @classmethod
    def _from_config(cls, config, **kwargs):
        return from_config(config, {"class_name": cls.__name__}, kwargs)

    from_config = _from_config

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *model_args, **kwargs):
        """The model with the weights of a folder, mapped as they are in its files: config=, dtype=, attn_implementation=, device_map=, ...

        Values of the config are taken too. ``mapped=False`` reads the files instead, which may then change.
        """
        from tare._load import from_pretrained
        return from_pretrained({"class_name": cls.__name__}, pretrained_model_name_or_path, model_args, kwargs)

    @property
    def is_pending(self):
        """Whether the model has weights that nobody has drawn yet. An empty model, on the meta device, never has."""
        return "meta" not in self._places and not self._handle.is_drawn

    # ---- what it says ----

    @property
    def config(self):
        """The config that it was built from."""
        return self._config

    @property
    def generation_config(self):
        """Settings of generation, or None for a model that does not generate."""
        settings = self._facts().get("generation_config")
        if settings is not None and self.__dict__.get("_generation") is not None:
            settings = self._generation
        return None if settings is None else GenerationConfig(**settings)

    def can_generate(self):
        """Whether generate() is for it."""
        return self._facts()["can_generate"]

    @property
    def dtype(self):
        """The dtype of the first floating parameter."""
        return dtype_named(self._handle.dtype)

    @property
    def device(self):
        """Where its parameters lie; of parts that were loaded, the first."""
        if self._places[0] == "meta" and self._handle.is_drawn:
            return device_named(next(iter(self._tensors()))._place)
        return device_named(self._places[0])

    @property
    def _no_split_modules(self):
        names = self._facts()["no_split"]
        return None if names is None else set(names)

    @property
    def base_model_prefix(self):
        """The name of the base model in a model with a head."""
        return self._facts()["base_model_prefix"]

    @property
    def main_input_name(self):
        """The argument that inputs are given as."""
        return self._facts()["main_input_name"]

    @property
    def base_model(self):
        """The model without its head."""
        prefix = self.base_model_prefix
        index = self._module_index(prefix) if prefix else None
        return self if index is None else self._module_at(index)

    @property
    def all_tied_weights_keys(self):
        """Tied parameters: each name with that of the one it shares."""
        return dict(self._facts()["tied"])

    def num_parameters(self, only_trainable=False, exclude_embeddings=False):
        """The number of elements of its parameters, each shared one once."""
        if not exclude_embeddings:
            return self._handle.counts()["trainable" if only_trainable else "total"]
        tables = {f"{row[0]}.weight" for row in self._module_rows() if row[2] == "Embedding"}
        return sum(p.numel() for name, p in self._named_views(True) if name not in tables and (p.requires_grad or not only_trainable))

    def get_memory_footprint(self, return_buffers=True):
        """Bytes of parameters, and of buffers."""
        size = sum(p.nbytes for _, p in self._named_views(True))
        return size + sum(b.nbytes for _, b in self._named_views(False)) if return_buffers else size

    def train(self, mode=True):
        """Notes the mode; returns the model."""
        self.__dict__["training"] = bool(mode)
        return self

    def eval(self):
        """Notes the mode; returns the model."""
        return self.train(False)

    def check(self, folder, *, like=None, allow=(), data=False, strip_prefix=None, add_prefix=None, variant=None, subfolder=None):
        """Holds a checkpoint against the model, from the headers of its files: a report that is true when all is there.

        ``like="transformers"`` calls wrong what makes from_pretrained() raise an error, and nothing else; ``allow=`` names what is not wrong:
        "missing", "unexpected", "mismatched".
        """
        from tare._check import check
        return check(self, folder, variant, subfolder, like=like, allow=allow, data=data, strip_prefix=strip_prefix, add_prefix=add_prefix)

    def save_pretrained(self, save_directory, max_shard_size="50GB"):
        """Writes config and weights into a folder as transformers does, drawing those that nobody has looked at; a checkpoint there is replaced."""
        from tare._load import save
        save(self, save_directory, max_shard_size)

    def iter_layers(self, folder, *, variant=None, subfolder=None, allow=(), strip_prefix=None, add_prefix=None):
        """The layers of the model with their weights out of a folder, one at a time in memory."""
        from tare._load import layers_of
        return layers_of(self, folder, variant, subfolder, allow=allow, strip_prefix=strip_prefix, add_prefix=add_prefix)

    def to_transformers(self):
        """The same model as transformers makes it, which runs: its weights are this one's, in the same memory."""
        try:
            import torch  # noqa: F401
            import transformers  # noqa: F401
        except ImportError as e:
            raise ImportError(f"to_transformers() needs the packages torch and transformers: {e}") from e
        from tare._torch import to_transformers
        return to_transformers(self)

    def __repr__(self):
        return self._handle.text("print")[:-1]

    def __setattr__(self, name, value):
        if name != "training" and not name.startswith("_"):
            raise AttributeError(f"{name!r} cannot be set: a model is what its config says; set it there and build another one")
        object.__setattr__(self, name, value)


def from_config(config, which, kwargs):
    """A model of a config, the class named or picked by an auto class; follows the config's dtype unless one is given."""
    if not isinstance(config, PreTrainedConfig):
        raise ValueError(f"a config object is needed here, such as AutoConfig.from_pretrained(...) gives, and not a {type(config).__name__}")
    kwargs.pop("trust_remote_code", None)
    kwargs.pop("code_revision", None)
    old = kwargs.pop("torch_dtype", None)
    given = kwargs.pop("dtype", old)
    attention = kwargs.pop("attn_implementation", None)
    experts = kwargs.pop("experts_implementation", None)
    if kwargs:
        raise TypeError(f"from_config() takes no {', '.join(kwargs)}; values of the config are set in it")
    if experts is not None:
        config._experts_implementation = experts
    if isinstance(attention, dict):
        attention = json.dumps(attention)
    handle = _tare.model_make(config._for_build(), dtype=dtype_name(given), attn=attention, **which)
    model = object.__new__(named(handle.class_name))
    model._start(handle, config)
    return model


# ---- classes, made when asked for -----------------------------------------------------------------------------------

_classes = {"GenerationConfig": GenerationConfig, "Module": Module, "Parameter": Parameter, "PreTrainedModel": PreTrainedModel, "Tensor": Tensor}


def named(name):
    """The model class of that name."""
    if name not in _classes:
        config_class, model_type = _tare.model_classes()[name]
        body = {"__module__": "tare", "__qualname__": name, "config_class": config_named(config_class),
                "__doc__": f"{name}, a model of type {model_type!r}: {name}(config) takes a {config_class}."}
        _classes.setdefault(name, type(name, (PreTrainedModel,), body))
    return _classes[name]
