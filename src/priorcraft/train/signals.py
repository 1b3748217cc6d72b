"""Being asked to stop, and stopping at the end of a step."""

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

_ASKED_BY = tuple(s for s in signal.Signals if s.name in ("SIGINT", "SIGTERM", "SIGUSR1"))


class StopRequest:
    """Within its `with` block, SIGINT, SIGTERM and SIGUSR1 only leave a note; a second one of a kind stops at once.

    Outside the main thread, where Python takes no signals, it does nothing.

    >>> with StopRequest() as stop:
    ...     signal.raise_signal(signal.SIGTERM)
    ...     stop.signal.name
    'SIGTERM'
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._seen: set[int] = set()
        self._process = os.getpid()
        self._previous: dict[signal.Signals, Any] = {}

    def __bool__(self) -> bool:
        """Whether a stop was asked for."""
        return self.signal is not None

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            self._previous = {asked: signal.signal(asked, self._note) for asked in _ASKED_BY}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for asked, handler in self._previous.items():
            signal.signal(asked, signal.SIG_DFL if handler is None else handler)
        self._previous = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        forked = os.getpid() != self._process  # a worker must die when it is told to
        if forked or number in self._seen:
            _stop_at_once(number)
        self._seen.add(number)
        self.signal = self.signal or signal.Signals(number)


def _stop_at_once(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
