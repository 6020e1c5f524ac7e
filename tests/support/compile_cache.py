"""Shares compiled templates and routes between all applications of a test process."""

from types import MethodType
from typing import ClassVar

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule


class CachedBytecode(BytecodeCache):
    """Stores Jinja's compiled templates in memory; a changed template has another checksum."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket if the template is already compiled."""
        code = self._compiled.get((bucket.key, bucket.checksum))
        if code is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Store a compiled template."""
        self._compiled[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


class CachedRule(Rule):
    """A route that is compiled once for all applications; its converters belong to the first of them."""

    _compiled: ClassVar[dict[tuple[object, ...], "CachedRule"]] = {}

    def compile(self) -> None:
        """Compile the route, or take over what an equal route of an earlier application has compiled."""
        defaults = tuple(sorted((self.defaults or {}).items()))
        first = self._compiled.setdefault(
            (self.rule, self.subdomain, self.host, self.strict_slashes, self.merge_slashes, defaults), self
        )
        if first is self:
            super().compile()
            return
        self._parts, self._trace, self._converters = first._parts, first._trace, first._converters
        self.arguments |= first.arguments
        self._build = MethodType(first._build.__func__, self)
        self._build_unknown = MethodType(first._build_unknown.__func__, self)
