"""Progress bar on the terminal."""

from __future__ import annotations

import contextlib
import sys


class ProgressBar(contextlib.AbstractContextManager):
    """Progress bar with percent, stage and detail on standard error.

    It stays hidden if standard error is not a terminal or tqdm is not installed.
    """

    def __enter__(self) -> ProgressBar:
        self._bar = None
        # A bar has locks between processes even if it is hidden. A killed worker would leave them.
        if sys.stderr is not None and sys.stderr.isatty():
            with contextlib.suppress(ImportError):
                from tqdm import tqdm

                layout = "{desc}: {percentage:3.0f}%|{bar}| {postfix}"
                self._bar = tqdm(total=100, bar_format=layout, leave=False)
        return self

    def show(self, share: float, stage: str, detail: str = "") -> None:
        """Show the finished fraction of the work, 0 to 1; the bar never moves back."""
        if self._bar is None:
            return
        self._bar.set_description(stage, refresh=False)
        self._bar.set_postfix_str(detail, refresh=False)
        self._bar.update(max(0.0, 100 * share - self._bar.n))

    def __exit__(self, *error) -> None:
        if self._bar is not None:
            self._bar.close()
