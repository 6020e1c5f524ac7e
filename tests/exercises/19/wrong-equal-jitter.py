class RetryingClient:
    def __init__(self, limits, remaining_s, uniform, sleep):
        self.limits, self.remaining_s, self.uniform, self.sleep = limits, remaining_s, uniform, sleep
        self.tokens = limits.reserve

    def call(self, work, *, idempotent, is_retryable):
        self.tokens = min(self.limits.reserve, self.tokens + self.limits.share)
        bound_s = self.limits.base_s
        for attempt in range(1, self.limits.attempts + 1):
            try:
                return work()
            except Exception as error:
                if attempt == self.limits.attempts or not idempotent or not is_retryable(error):
                    raise
                bound = min(self.limits.cap_s, bound_s)
                wait_s = self.uniform(bound / 2, bound)
                if wait_s >= self.remaining_s() or self.tokens < 1:
                    raise
            self.tokens -= 1
            self.sleep(wait_s)
            bound_s *= 2
