"""What an attempt must define: name and parameters by a Protocol, and the methods of what a call of it returns."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from inspect import Parameter, Signature
from types import MappingProxyType, ModuleType
from typing import Any

from shop.exercises.short_text import shorten

CALL = "__call__"
POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
BY_KEYWORD = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


class InterfaceMissing(Exception):
    """The exercise names an interface that does not exist."""


@dataclass(frozen=True)
class AttemptInterface:
    """What an attempt must define.

    Args:
        defines: name of the function, or of the class that is called as a factory.
        signature: of the call.
        returned: the methods of the returned object, by name; empty if the call returns a plain value.
    """

    defines: str
    signature: Signature
    returned: Mapping[str, Signature]

    @property
    def is_class(self) -> bool:
        """Return whether a class is expected, by the custom for names; a function of this name is as right."""
        return self.defines[0].isupper()

    @property
    def call_text(self) -> str:
        """Return the call, as the reader would write it: ``jittered(draw)``."""
        return f"{self.defines}({parameter_text(self.signature)})"

    def find_fault(self, defined: Any) -> str:
        """Return what is wrong with the parameters of what the attempt defines; empty if they fit.

        Args:
            defined: callable.
        """
        return _signature_fault(self.defines, defined, self.signature)

    def find_returned_fault(self, value: Any) -> tuple[str, str]:
        """Return what is expected of the returned object, and what is wrong with it; two empty texts if it fits.

        Args:
            value: what a call of the attempt returned.
        """
        for name, wanted in self.returned.items():
            is_function = name == CALL
            text = parameter_text(wanted)
            expected = f"a function with the parameters ({text})." if is_function else f"an object with {name}({text})."
            method = value if is_function else getattr(value, name, None)
            if not callable(method):
                has = ", ".join(public_names(value)) or "no method"
                return expected, f"{shorten(value)}." if is_function else f"{shorten(value)}, which has {has}."
            if fault := _signature_fault("" if is_function else name, method, wanted):
                return expected, fault
        return "", ""


def load_interface(defines: str, interface: str) -> AttemptInterface:
    """Return what an exercise asks for.

    Args:
        defines: the name that the attempt defines.
        interface: ``module:Protocol``.

    Raises:
        InterfaceMissing: there is no such Protocol, or it has no ``__call__``.
    """
    module_name, _, name = interface.partition(":")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError:
        raise InterfaceMissing(f"there is no module {module_name}") from None
    protocol = getattr(module, name, None)
    if not _is_protocol(protocol) or CALL not in vars(protocol):
        raise InterfaceMissing(f"{module_name} has no Protocol {name} with {CALL}")
    call = vars(protocol)[CALL]
    returned = _find_returned(call, module)
    methods = {} if returned is None else dict(_methods(returned))
    return AttemptInterface(defines, without_self(inspect.signature(call)), MappingProxyType(methods))


def accepts(given: Signature, wanted: Signature) -> bool:
    """Return whether a function with one signature can be called by the other.

    Args:
        given: of the attempt.
        wanted: of the interface.
    """
    rest = list(given.parameters.values())
    takes_any = any(one.kind is Parameter.VAR_POSITIONAL for one in rest)
    takes_any_keyword = any(one.kind is Parameter.VAR_KEYWORD for one in rest)
    for parameter in wanted.parameters.values():
        if parameter.kind in POSITIONAL and rest and rest[0].kind in POSITIONAL:
            mine = rest.pop(0)
            names_fit = parameter.kind is Parameter.POSITIONAL_ONLY or (
                mine.name == parameter.name and mine.kind is Parameter.POSITIONAL_OR_KEYWORD
            )
        elif parameter.kind in POSITIONAL:
            mine = parameter
            names_fit = takes_any and (takes_any_keyword or parameter.kind is Parameter.POSITIONAL_ONLY)
        elif parameter.kind is Parameter.KEYWORD_ONLY:
            same = [one for one in rest if one.name == parameter.name and one.kind in BY_KEYWORD]
            mine = same[0] if same else parameter
            names_fit = bool(same) or takes_any_keyword
            rest = [one for one in rest if one not in same]
        else:
            mine = parameter
            names_fit = takes_any if parameter.kind is Parameter.VAR_POSITIONAL else takes_any_keyword
        may_be_left_out = parameter.default is not Parameter.empty
        if not names_fit or (may_be_left_out and mine.default is Parameter.empty):
            return False
    variable = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return all(one.kind in variable or one.default is not Parameter.empty for one in rest)


def parameter_text(signature: Signature) -> str:
    """Return the parameters as a reader writes them, without types."""
    plain = [one.replace(annotation=Parameter.empty) for one in signature.parameters.values()]
    if all(one.kind is Parameter.POSITIONAL_ONLY for one in plain):  # the names are free, and a `/` is seldom seen
        plain = [one.replace(kind=Parameter.POSITIONAL_OR_KEYWORD) for one in plain]
    return str(Signature(plain))[1:-1]


def without_self(signature: Signature) -> Signature:
    """Return the signature of a method as its caller sees it."""
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def public_names(value: Any) -> list[str]:
    """Return the public functions of an object."""
    return [name for name in dir(type(value)) if not name.startswith("_") and callable(getattr(type(value), name))]


def _signature_fault(name: str, function: Callable[..., Any], wanted: Signature) -> str:
    try:
        given = inspect.signature(function)
    except (ValueError, TypeError):  # a function in C may not tell
        return ""
    return "" if accepts(given, wanted) else f"{name}({parameter_text(given)})."


def _find_returned(call: Callable[..., Any], module: ModuleType) -> type | None:
    annotation = inspect.signature(call).return_annotation
    found = getattr(module, annotation, None) if isinstance(annotation, str) else annotation
    return found if _is_protocol(found) and found.__module__ == module.__name__ else None


def _is_protocol(value: Any) -> bool:
    return isinstance(value, type) and getattr(value, "_is_protocol", False)


def _methods(protocol: type) -> Iterator[tuple[str, Signature]]:
    for name, method in vars(protocol).items():
        is_own = inspect.isfunction(method) and method.__module__ == protocol.__module__
        if is_own and (not name.startswith("_") or name.endswith("__")):
            yield name, without_self(inspect.signature(method))
