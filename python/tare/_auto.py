"""Auto classes: the model class by the config's type."""
from tare._model import from_config


class _AutoModel:
    def __init__(self, *args, **kwargs):
        name = type(self).__name__
        raise OSError(f"{name} is not made itself: {name}.from_config(config) makes the class that fits")

    @classmethod
    def from_config(cls, config, **kwargs):
        """The model of a config; dtype= and attn_implementation= choose what it is built in and with."""
        return from_config(config, {"auto_class": cls.__name__}, kwargs)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *model_args, **kwargs):
        """The model of a folder with its weights; config=, dtype=, attn_implementation=, device_map= and values of the config are taken."""
        from tare._load import from_pretrained
        return from_pretrained({"auto_class": cls.__name__}, pretrained_model_name_or_path, model_args, kwargs)


_classes = {}


def named(name):
    """The auto class of that name."""
    if name not in _classes:
        body = {"__module__": "tare", "__qualname__": name, "__doc__": f"{name}.from_config(config) makes the class that fits the config's type."}
        _classes.setdefault(name, type(name, (_AutoModel,), body))
    return _classes[name]
