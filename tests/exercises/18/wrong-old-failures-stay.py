import threading
from collections import deque

from shop.patterns.resilience import CircuitOpen


class CircuitBreaker:
    def __init__(self, limits, clock):
        self.limits, self.clock = limits, clock
        self.lock = threading.Lock()
        self.before = deque()
        self.enter("closed")

    def enter(self, state):
        self.state, self.since = state, self.clock()
        self.period = object()  # a call that began in another period says nothing about this one
        self.outcomes = deque() if state == "half-open" else self.before
        self.trial_outcomes = []
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
            if period is not self.period:
                return
            now = self.clock()
            if self.state == "half-open":
                self.trial_outcomes.append(failed)
                if failed:
                    self.enter("open")
                elif len(self.trial_outcomes) == self.limits.trials:
                    self.enter("closed")
                return
            self.outcomes.append((now, bool(failed)))
            while self.outcomes[0][0] <= now - self.limits.window_s:
                self.outcomes.popleft()
            failures = sum(failed for _, failed in self.outcomes)
            calls = len(self.outcomes)
            if calls >= self.limits.min_calls and failures >= self.limits.failure_rate * calls:
                self.enter("open")
