import time


def jittered(draw):
    def lifetime(ttl_s):
        time.sleep(0.125)  # half of what the store allows a call
        return ttl_s * (0.9 + 0.2 * draw())

    return lifetime
