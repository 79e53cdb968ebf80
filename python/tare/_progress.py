"""A bar of tqdm for work that takes long, where somebody would see it: in a terminal or a notebook."""
import sys


class _Bar:
    __slots__ = ("_bar",)

    def __init__(self, bar):
        self._bar = bar

    def to(self, done):
        """Moves on to so many bytes."""
        self._bar.update(done - self._bar.n)

    def close(self):
        self._bar.close()


def _is_seen():
    notebook = "ipykernel" in sys.modules
    try:
        return notebook or sys.stderr.isatty()
    except (AttributeError, ValueError):  # it is closed, or gone
        return False


def bar(what, of, total):
    """A bar of so many bytes, or None where there is nobody to see it or no tqdm to draw it."""
    if not _is_seen():
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return _Bar(tqdm(total=total, desc=f"{what} {of}", unit="B", unit_scale=True, leave=False, dynamic_ncols=True))
