"""One process's view of the switches, which a flip and the thread in the background both read again."""

import threading

from shop.switches.registry import SwitchPoller

PATIENCE_S = 20


def test_older_read_does_not_overwrite_a_newer_one():
    reading, may_end = threading.Event(), threading.Event()

    def load():
        if reading.is_set():
            return {"cache.shared": "off"}
        reading.set()
        may_end.wait(PATIENCE_S)
        return {"cache.shared": "on"}

    board = SwitchPoller(load, refresh_s=PATIENCE_S)
    slow, after_the_flip = (threading.Thread(target=board.refresh) for _ in range(2))
    slow.start()
    reading.wait(PATIENCE_S)
    after_the_flip.start()
    after_the_flip.join(0.1)  # without turns, it has ended by now
    may_end.set()
    for one in (slow, after_the_flip):
        one.join(PATIENCE_S)
    assert board.current().to_dict()["cache.shared"] == "off"
