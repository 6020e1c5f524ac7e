"""Exercise 11: early expiration (XFetch). Complete `xfetch`, then run `bin/shop exercise check 11`."""


def xfetch(fresh_until: float, load_s: float, draw: float, beta: float) -> float:
    """Return the time from which this reader refreshes the entry; never later than `fresh_until`.

    Args:
        fresh_until: when the entry expires, in seconds.
        load_s: what the last load of the entry took, in seconds.
        draw: this reader's random number from 0 to 1, both included; a smaller one refreshes earlier.
        beta: a larger one refreshes earlier; usually 1.
    """
    return fresh_until  # every reader waits for the expiry, and then all of them load
