import time


def get_or_load(cache, key, ttl_s, load):
    time.sleep(0.125)  # half of what the store allows a call
    try:
        value = cache.get(key)
    except ConnectionError:
        value = None
    if value is None:
        value = load()
        try:
            cache.set(key, value, ttl_s)
        except ConnectionError:
            pass
    return value
