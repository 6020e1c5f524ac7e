"""The behavioural checks of one attempt, in the process that calls this. Imports little: see ``check_rule``."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from shop.exercises.attempt_interface import load_interface
from shop.exercises.check_rule import CheckRule
from shop.exercises.graders import load_checks
from shop.exercises.graders.attempt_calls import AttemptCalls, DefinedCall, PrintedTooMuch, describe_error
from shop.exercises.graders.attempt_servers import AttemptServers, load_libraries
from shop.exercises.server_addresses import NO_SERVERS, ServerAddresses
from shop.exercises.verdict import AttemptFailed, FailureReport

IMPORT, INTERFACE = "import", "interface"


@dataclass(frozen=True)
class CheckPlan:
    """What the checks of one attempt need.

    Args:
        path: the attempt's file.
        defines: the name that it defines.
        interface: ``module:Protocol`` of that name.
        grader: module with the checks.
        rules: the checks, in their order.
        seed: of the checks' random numbers.
        servers: the servers of the checks.
    """

    path: Path
    defines: str
    interface: str
    grader: str
    rules: tuple[CheckRule, ...]
    seed: int
    servers: ServerAddresses = NO_SERVERS

    def to_json(self) -> str:
        """Return the form in which it is handed to another process."""
        return json.dumps({**asdict(self), "path": str(self.path)})

    @classmethod
    def from_json(cls, text: str) -> "CheckPlan":
        """Read that form."""
        plan = json.loads(text)
        rules = tuple(CheckRule(**rule) for rule in plan["rules"])
        servers = ServerAddresses(**plan["servers"])
        return cls(**{**plan, "path": Path(plan["path"]), "rules": rules, "servers": servers})


def import_attempt(plan: CheckPlan) -> Callable[..., Any]:
    """Run the attempt's file as a module and return what it defines.

    Args:
        plan: names both.

    Raises:
        AttemptFailed: the module raises, defines no such function or class, or its parameters do not fit.
    """
    path, name = plan.path, plan.defines
    interface = load_interface(name, plan.interface)
    did, expected = f"Python imported {path}.", f"a module that defines {interface.call_text}."
    module = ModuleType("attempt")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses and pickle look a class's module up here
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)  # noqa: S102 - the reader's own file
    except (Exception, SystemExit, PrintedTooMuch) as error:  # noqa: BLE001 - whatever the attempt raises
        raise AttemptFailed(FailureReport(IMPORT, did, expected, *describe_error(error, path))) from None
    function = getattr(module, name, None)
    if not callable(function):
        came = f"`{name}` is {function!r}." if hasattr(module, name) else f"the module has no `{name}`."
        raise AttemptFailed(FailureReport(IMPORT, did, expected, came, f"Define `{name}` in {path.name}."))
    if fault := interface.find_fault(function):
        look = f"Give the parameters of {name} in {path.name} these names, in this order."
        raise AttemptFailed(FailureReport(INTERFACE, did, expected, fault, look))
    made: Callable[..., Any] = function
    return made


def run_checks(plan: CheckPlan, function: Callable[..., Any], announce: Callable[[str, str], None]) -> Iterator[str]:
    """Run the checks in their order; yield the name of each that passes.

    Args:
        plan: the checks.
        function: the attempt's, or the store's own.
        announce: told the check and the call, before each call.

    Raises:
        AttemptFailed: a check failed.
        CannotJudge: a server stopped during a check.
    """
    load_libraries(plan.servers)
    checks = load_checks(plan.grader)
    defined = DefinedCall(function, load_interface(plan.defines, plan.interface))
    for number, rule in enumerate(plan.rules):
        servers = AttemptServers(plan.servers, number)
        calls = AttemptCalls(rule.name, plan.path, partial(announce, rule.name), plan.seed, defined, servers)
        try:
            checks[rule.name](function, calls, rule)
        except AttemptFailed:
            servers.require_answers()
            raise
        finally:
            servers.close()
        yield rule.name
