"""The progress of a run: a bar on a terminal, else a line now and then; both on standard error."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from promptuary.cli.output import print_notice
from promptuary.prompt.text import format_usd


@dataclass(frozen=True)
class RunProgress:
    """The progress of a run.

    Attributes:
        done: results that are stored.
        total: results that the run will have.
        spent: US dollars spent by the run and by its judges.
    """

    done: int
    total: int
    spent: float


OnProgress = Callable[[RunProgress], None]


@contextmanager
def show_progress(suite: str) -> Iterator[OnProgress]:
    """Yield what shows the progress of a suite's run."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _ProgressLines(suite)
        return
    figures = TextColumn("{task.fields[figures]}")
    columns = (TextColumn(suite), BarColumn(), MofNCompleteColumn(), figures, TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task, rate = bar.add_task(suite, total=None, figures=""), ProgressRate()
        yield lambda now: bar.update(task, completed=now.done, total=now.total, figures=rate.figures(now))


class ProgressRate:
    """The figures beside a run's progress: results per second since this process watches, dollars, and the time left."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start when the run is first seen: results from before do not show the rate. The clock is in seconds."""
        self._clock = clock
        self._start: tuple[float, int] | None = None

    def figures(self, now: RunProgress) -> str:
        """Return the figures that are known, as `12.5/s, $0.03, 0:01:20 left`."""
        timestamp = self._clock()
        if self._start is None:
            self._start = (timestamp, now.done)
        seconds, done = timestamp - self._start[0], now.done - self._start[1]
        rate = done / seconds if seconds > 0 else 0.0
        figures = [f"{rate:.3g}/s"] if rate > 0 else []
        if now.spent > 0:
            figures.append(format_usd(now.spent))
        if rate > 0 and now.done < now.total:
            figures.append(f"{timedelta(seconds=round((now.total - now.done) / rate))} left")
        return ", ".join(figures)


class _ProgressLines:
    """A line of progress for each tenth of the results."""

    def __init__(self, suite: str) -> None:
        self._suite = suite
        self._shown_tenth = -1
        self._rate = ProgressRate()

    def __call__(self, now: RunProgress) -> None:
        tenth = now.done * 10 // now.total if now.total else 10
        figures = self._rate.figures(now)
        if tenth > self._shown_tenth:
            self._shown_tenth = tenth
            print_notice(f"{self._suite}: {now.done} of {now.total}" + (f" ({figures})" if figures else ""))
