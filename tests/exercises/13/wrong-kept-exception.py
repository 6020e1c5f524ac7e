import threading
from collections import OrderedDict


class NegativeCache:
    def __init__(self, not_found, clock, ttl_s, limit):
        self.not_found = not_found
        self.clock = clock
        self.ttl_s = ttl_s
        self.limit = limit
        self.lock = threading.Lock()
        self.absent = OrderedDict()
        self.creations = 0

    def get(self, name, load):
        with self.lock:
            until, kept = self.absent.get(name, (0, None))
            creations = self.creations
        if kept is not None and self.clock() < until:
            raise kept
        try:
            return load()
        except self.not_found as error:
            with self.lock:
                if creations == self.creations:
                    self.absent[name] = (self.clock() + self.ttl_s, error)
                    while len(self.absent) > self.limit:
                        self.absent.popitem(last=False)
            raise

    def created(self, name):
        with self.lock:
            self.creations += 1
            self.absent.pop(name, None)
