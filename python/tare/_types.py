"""dtype, device and Size: torch's own where torch is imported, else objects that print and compare like them."""
import sys


def torch():
    """torch, if the program has imported it."""
    module = sys.modules.get("torch")
    return module if module is not None and hasattr(module, "dtype") else None


class dtype:
    """A dtype, printed as torch prints it."""

    __slots__ = ("name",)

    def __init__(self, name):
        self.name = name

    @property
    def is_floating_point(self):
        return "float" in self.name

    @property
    def is_complex(self):
        return self.name.startswith("complex")

    @property
    def itemsize(self):
        digits = "".join(c for c in self.name.partition("_")[0] if c.isdigit())
        return max(int(digits) // 8, 1) if digits else 1

    def __repr__(self):
        return f"torch.{self.name}"

    def __eq__(self, other):
        if isinstance(other, dtype):
            return self.name == other.name
        return repr(other) == repr(self) if type(other).__module__ == "torch" else NotImplemented

    def __hash__(self):
        return hash(self.name)

    def __reduce__(self):
        return dtype_named, (self.name,)


_dtypes = {}


def dtype_named(name):
    """The dtype that torch calls so, torch's own where it is imported."""
    library = torch()
    if library is not None:
        return getattr(library, name)
    if name not in _dtypes:
        _dtypes[name] = dtype(name)
    return _dtypes[name]


def dtype_name(value):
    """The name of a dtype given as text or as an object of torch or of this package; None stays None."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dtype):
        return value.name
    text = repr(value)
    if text.startswith("torch.") and type(value).__name__ == "dtype":
        return text[len("torch."):]
    raise TypeError(f"a dtype is needed, such as tare.float16 or 'float16', not {value!r}")


class device:
    """A device; ``with tare.device("meta"):`` makes models that are empty."""

    __slots__ = ("type", "index", "_entered")

    def __init__(self, type, index=None):
        if isinstance(type, device):
            type, index = type.type, type.index
        if not isinstance(type, str):
            raise TypeError(f"a device is named by text such as 'meta' or 'cuda:0', not {type!r}")
        kind, colon, number = type.partition(":")
        if kind not in ("meta", "cpu", "cuda", "mps", "xpu", "hpu", "npu", "mlu") or (colon and not number.isdigit()):
            raise RuntimeError(f"there is no device {type!r}: say meta, cpu, cuda, cuda:0, mps, ...")
        self.type = kind
        self.index = int(number) if colon else index
        self._entered = []

    def __repr__(self):
        return f"device(type={self.type!r}{'' if self.index is None else f', index={self.index}'})"

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other):
        return (self.type, self.index) == (other.type, other.index) if type(other).__name__ == "device" else NotImplemented

    def __hash__(self):
        return hash((self.type, self.index))

    def __reduce__(self):
        return device, (str(self),)

    def __enter__(self):
        from tare import _context
        self._entered.append(_context.enter_device(self))
        return self

    def __exit__(self, *what):
        from tare import _context
        _context.leave_device(self._entered.pop())


def device_named(name):
    """torch's own device where torch is imported."""
    library = torch()
    return device(name) if library is None else library.device(name)


class Size(tuple):
    """A shape, printed as torch prints it."""

    __slots__ = ()

    def numel(self):
        n = 1
        for size in self:
            n *= size
        return n

    def __getitem__(self, at):
        part = tuple.__getitem__(self, at)
        return Size(part) if isinstance(at, slice) else part

    def __repr__(self):
        return f"torch.Size({list(self)})"


def size_of(sizes):
    """torch's own Size where torch is imported."""
    library = torch()
    return Size(sizes) if library is None else library.Size(sizes)
