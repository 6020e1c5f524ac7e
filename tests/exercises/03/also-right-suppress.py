from contextlib import suppress


class Missing(Exception):
    pass


def stored(cache, key):
    with suppress(ConnectionError):
        if (value := cache.get(key)) is not None:
            return value
    raise Missing(key)


def get_or_load(cache, key, ttl_s, load):
    try:
        return stored(cache, key)
    except Missing:
        value = load()
    with suppress(ConnectionError):
        cache.set(key, value, ttl_s=ttl_s)
    return value
