"""What a checkpoint comes to beside a model, from the headers of its files."""
from tare import _tare
from tare._types import Size, dtype_named


class CheckRow:
    """A tensor of the model with its source, or what of a file is none's. ``kind`` is a word of docs/checkpoints.md."""

    __slots__ = ("kind", "wrong", "name", "key", "file", "keys", "dtype", "shape", "file_dtype", "file_shape", "why")

    def __init__(self, *values):
        for name, value in zip(self.__slots__, values):
            if value is not None and name in ("dtype", "file_dtype"):
                value = dtype_named(value)
            if value is not None and name in ("shape", "file_shape"):
                value = Size(value)
            setattr(self, name, value)

    def __repr__(self):
        return f"<{self.kind} {self.name}{', wrong' if self.wrong else ''}{f': {self.why}' if self.why else ''}>"


class CheckReport:
    """What ``model.check(folder)`` finds. It is true when every tensor has its one source and nothing else is wrong; str() is the whole of it."""

    __slots__ = ("complete", "damaged", "loads", "error", "expected", "found", "rows", "missing", "unexpected", "causes", "_text")

    def __init__(self, found):
        self.complete, self.damaged, self.loads, self.error = found["complete"], found["damage"], found["loads"], found["error"]
        self.expected, self.found = found["expected"], found["found"]
        self.rows = [CheckRow(*row) for row in found["rows"]]
        self.missing, self.unexpected, self.causes = found["missing"], found["unexpected"], found["causes"]
        self._text = found["text"]

    @property
    def wrong(self):
        """The rows that are wrong."""
        return [row for row in self.rows if row.wrong]

    @property
    def mismatched(self):
        """Tensors that the files have in another shape: name, theirs, the model's."""
        return [(row.name, row.file_shape, row.shape) for row in self.rows if row.kind == "shape"]

    def __bool__(self):
        return self.complete

    def __str__(self):
        return self._text.rstrip("\n")

    def __repr__(self):
        return f"<CheckReport: {self._text.partition(chr(10))[0]}>"


_ALLOWED = ("missing", "unexpected", "mismatched")


def options(like=None, allow=(), data=False, strip_prefix=None, add_prefix=None):
    """The options of a check as the extension takes them."""
    if like not in (None, "transformers"):
        raise ValueError(f"like= knows 'transformers', and not {like!r}")
    allow = (allow,) if isinstance(allow, str) else tuple(allow)
    wrong = [word for word in allow if word not in _ALLOWED]
    if wrong:
        raise ValueError(f"allow= takes {', '.join(map(repr, _ALLOWED))}, and not {wrong[0]!r}")
    return (like is not None, *(word in allow for word in _ALLOWED), bool(data), strip_prefix, add_prefix)


def opened(folder, variant=None, subfolder=None):
    """The files of a checkpoint."""
    import os
    return _tare.files_open(os.fspath(folder), variant, subfolder or None)


def check(model, folder, variant, subfolder, **how):
    """A CheckReport."""
    return CheckReport(opened(folder, variant, subfolder).check(model._handle, options(**how)))
