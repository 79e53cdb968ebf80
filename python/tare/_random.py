"""The random numbers that models are drawn from: torch's stream, of torch's own generator where torch is imported.

Models take turns in it, in the order in which they are made, and nothing is drawn for that: each has its place, and what the next
one's is follows from how much this one draws.
"""
import os
from _thread import RLock

from tare import _tare, _types

MOST_BEFORE = 16           # models that are kept until somebody asks for a place after them

# Held by whoever moves a generator on: models of many threads take turns, too.
_turn = RLock()


class Place:
    """A place in a stream: of a generator, or after a model that begins at another place."""

    __slots__ = ("_generator", "_before", "_model", "depth")

    def __init__(self, generator=None, before=None, model=None):
        self._generator = generator
        self._before = before
        self._model = model
        self.depth = 0 if before is None else before.depth + 1

    def __call__(self):
        """The generator that stands here; it is not to be moved."""
        with _turn:
            return self._settle()

    def _settle(self):
        waiting, at = [], self
        while at._generator is None:
            waiting.append(at)
            at = at._before
        for after in reversed(waiting):
            generator = at._generator.copy()
            generator.pass_model(after._model)
            after._generator, after._before, after._model, after.depth = generator, None, None, 0
            at = after
        return at._generator


class _Stream:
    """A stream of the package's own; one that nobody gave a seed begins anywhere, as torch's does."""

    __slots__ = ("seed", "tip", "is_seeded")

    def __init__(self, seed=None):
        self.is_seeded = seed is not None
        self.seed = seed if self.is_seeded else int.from_bytes(os.urandom(8), "little")
        self.tip = Place(_tare.generator_new(self.seed))


_stream = None  # made when first asked for; given up when torch is met


def _own():
    global _stream
    if _stream is None:
        _stream = _Stream()
    return _stream


def _read(torch):
    from ctypes import string_at
    bytes_of = torch.get_rng_state()
    return string_at(bytes_of.data_ptr(), bytes_of.numel())


def _write(torch, generator):
    torch.set_rng_state(torch.frombuffer(bytearray(generator.save()), dtype=torch.uint8))


def _is_as_imported(torch):
    """Nothing was drawn, and the seed is one of the large numbers that torch finds for itself."""
    seed = torch.initial_seed()
    return seed >= 1 << 32 and _read(torch) == _tare.generator_new(seed).save()


def _torch():
    """torch, if it is imported. Its generator then goes on where a seed has led to here, unless the program has used it already."""
    global _stream
    torch = _types.torch()
    own = _stream
    if torch is not None and own is not None:
        _stream = None
        if own.is_seeded and _is_as_imported(torch):
            _write(torch, own.tip())
    return torch


def manual_seed(seed):
    """The weights of models that are made from now on are those that torch draws after ``torch.manual_seed(seed)``.

    Where torch is imported, this is ``torch.manual_seed(seed)``.
    """
    global _stream
    seed = int(seed)
    if not -0x8000_0000_0000_0000 <= seed <= 0xFFFF_FFFF_FFFF_FFFF:
        raise RuntimeError(f"a seed has 64 bits, and {seed} has more")
    torch = _torch()
    if torch is not None:
        torch.manual_seed(seed)
    else:
        _stream = _Stream(seed % 0x1_0000_0000_0000_0000)


def initial_seed():
    """The seed of the stream that new models draw from."""
    torch = _torch()
    return _own().seed if torch is None else torch.initial_seed()


def reserve(model):
    """The place of a model that is made now; the next one's is after it."""
    with _turn:
        torch = _torch()
        if torch is not None:
            start = _tare.generator_load(_read(torch))
            after = start.copy()
            after.pass_model(model)
            _write(torch, after)
            return Place(start)
        own = _own()
        start = own.tip
        own.tip = Place(before=start, model=model)
        if own.tip.depth > MOST_BEFORE:
            own.tip()
        return start


def here():
    """The place of a model that draws nothing of its own accord."""
    torch = _torch()
    return _own().tip if torch is None else Place(_tare.generator_load(_read(torch)))
