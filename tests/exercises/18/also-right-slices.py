from collections import Counter
from threading import Lock

from shop.patterns.resilience import CircuitOpen

SLICES = 10


class Counted:
    """Calls and failures by slice of time."""

    def __init__(self, slice_s):
        self.slice_s = slice_s
        self.calls, self.failures = Counter(), Counter()

    def add(self, now, failed):
        number = int(now / self.slice_s)
        self.calls[number] += 1
        self.failures[number] += failed
        for old in [one for one in self.calls if one <= number - SLICES]:
            del self.calls[old], self.failures[old]


def CircuitBreaker(limits, clock):
    lock, state = Lock(), None

    class State:
        def __init__(self):
            self.begun_at = clock()

        def permit(self):
            return True

    class Closed(State):
        def __init__(self):
            super().__init__()
            self.counted = Counted(limits.window_s / SLICES)

        def end(self, failed):
            self.counted.add(clock(), failed)
            calls = self.counted.calls.total()
            is_over = self.counted.failures.total() / calls >= limits.failure_rate
            return Open() if calls >= limits.min_calls and is_over else self

    class Open(State):
        def permit(self):
            return False

    class HalfOpen(State):
        def __init__(self):
            super().__init__()
            self.begun = self.succeeded = self.failed = 0

        def permit(self):
            self.begun += 1
            return self.begun <= limits.trials

        def end(self, failed):
            self.failed += failed
            self.succeeded += not failed
            if self.failed + self.succeeded < limits.trials:
                return self
            return Open() if self.failed > 1 else Closed()

    class Breaker:
        def call(self, work, is_failure):
            nonlocal state
            with lock:
                if isinstance(state, Open) and clock() >= state.begun_at + limits.open_s:
                    state = HalfOpen()
                own = state
                if not own.permit():
                    raise CircuitOpen
            failed = False
            try:
                return work()
            except Exception as error:
                failed = bool(is_failure(error))
                raise
            finally:
                with lock:
                    if state is own:
                        state = own.end(failed)

    state = Closed()
    return Breaker()
