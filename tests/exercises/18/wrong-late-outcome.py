import threading
from collections import deque

from shop.patterns.resilience import CircuitOpen


class CircuitBreaker:
    def __init__(self, limits, clock):
        self.limits, self.clock = limits, clock
        self.lock = threading.Lock()
        self.enter("closed")

    def enter(self, state):
        self.state, self.since = state, self.clock()
        self.period = object()  # a call that began in another period says nothing about this one
        self.outcomes = deque()
        self.trials_left = self.limits.trials

    def call(self, work, is_failure):
        period = self.begin()
        try:
            result = work()
        except Exception as error:
            self.end(period, is_failure(error))
            raise
        self.end(period, False)
        return result

    def begin(self):
        with self.lock:
            if self.state == "open" and self.clock() - self.since >= self.limits.open_s:
                self.enter("half-open")
            if self.state == "open" or (self.state == "half-open" and not self.trials_left):
                raise CircuitOpen
            if self.state == "half-open":
                self.trials_left -= 1
            return self.period

    def end(self, period, failed):
        with self.lock:
            now = self.clock()
            self.outcomes.append((now, bool(failed)))
            if self.state == "half-open":
                if failed:
                    self.enter("open")
                elif len(self.outcomes) == self.limits.trials:
                    self.enter("closed")
                return
            while self.outcomes[0][0] <= now - self.limits.window_s:
                self.outcomes.popleft()
            failures = sum(failed for _, failed in self.outcomes)
            calls = len(self.outcomes)
            if calls >= self.limits.min_calls and failures >= self.limits.failure_rate * calls:
                self.enter("open")
