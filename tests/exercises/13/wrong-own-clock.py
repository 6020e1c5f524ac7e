import time
from collections import OrderedDict


class NegativeCache:
    def __init__(self, not_found, clock, ttl_s, limit):
        self.not_found, self.ttl_s, self.limit = not_found, ttl_s, limit
        self.absent = OrderedDict()

    def get(self, name, load):
        until, text = self.absent.get(name, (0, ""))
        if time.monotonic() < until:
            raise self.not_found(text)
        try:
            return load()
        except self.not_found as error:
            self.absent[name] = time.monotonic() + self.ttl_s, str(error)
            if len(self.absent) > self.limit:
                self.absent.popitem(last=False)
            raise

    def created(self, name):
        self.absent.pop(name, None)
