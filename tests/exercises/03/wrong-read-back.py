from contextlib import suppress


def read(cache, key):
    try:
        return cache.get(key)
    except ConnectionError:
        return None


def get_or_load(cache, key, ttl_s, load):
    if read(cache, key) is None:
        value = load()
        with suppress(ConnectionError):
            cache.set(key, value, ttl_s)
    return read(cache, key)
