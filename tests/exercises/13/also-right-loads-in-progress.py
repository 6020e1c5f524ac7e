"""Each load has a mark, which a creation of its name wipes; nothing is remembered about other creations."""

from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import RLock


@dataclass
class Absence:
    until: float
    text: str


@dataclass(eq=False)
class NegativeCache:
    not_found: type[Exception]
    clock: object
    ttl_s: float
    limit: int
    absences: dict = field(default_factory=dict)
    marks: dict = field(default_factory=dict)
    lock: object = field(default_factory=RLock)

    def get(self, name, load):
        absence = self.absences.get(name)
        if absence and absence.until > self.clock():
            raise self.not_found(absence.text)
        with self.marked(name) as mark:
            try:
                return load()
            except self.not_found as error:
                text = str(error)
                with self.lock:
                    if mark in self.marks.get(name, ()):
                        self.keep(name, text)
                raise self.not_found(text) from None

    @contextmanager
    def marked(self, name):
        mark = object()
        with self.lock:
            self.marks.setdefault(name, set()).add(mark)
        try:
            yield mark
        finally:
            with self.lock:
                rest = self.marks.get(name, set())
                rest.discard(mark)
                if not rest:
                    self.marks.pop(name, None)

    def keep(self, name, text):
        self.absences.pop(name, None)
        if len(self.absences) >= self.limit:
            del self.absences[next(iter(self.absences))]
        self.absences[name] = Absence(self.clock() + self.ttl_s, text)

    def created(self, name):
        with self.lock:
            self.marks.pop(name, None)
            self.absences.pop(name, None)
