from threading import Lock


def RetryingClient(limits, remaining_s, uniform, sleep):
    lock = Lock()
    spent = -limits.reserve  # tokens that are missing, as a negative number of those that are there

    def pay_in():
        nonlocal spent
        with lock:
            spent = max(-limits.reserve, spent - limits.share)

    def take():
        nonlocal spent
        with lock:
            there = spent <= -1
            spent += there
            return there

    class Client:
        def call(self, work, *, idempotent, is_retryable):
            pay_in()
            return self.attempt(work, limits.attempts if idempotent else 1, 0, is_retryable)

        def attempt(self, work, left, retries, is_retryable):
            try:
                return work()
            except Exception as error:
                wait_s = min(limits.base_s * 2**retries, limits.cap_s) * uniform(0, 1)
                if left == 1 or not is_retryable(error) or remaining_s() < wait_s or not take():
                    raise
            sleep(wait_s)
            return self.attempt(work, left - 1, retries + 1, is_retryable)

    return Client()
