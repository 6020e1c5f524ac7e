"""The live stage of a check: the store's own code and the attempt in turn, on the running store.

Four arms: default, attempt, attempt, default. The reversed second half cancels a drift over time, such as caches that
fill. Afterwards switches, parameters, faults and products are as they were, also after Ctrl-C, and after kill -9 at the
next check or experiment; see ``shop.lab.saved_state``.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shop.errors import ConfigurationError, ServiceUnavailable
from shop.exercises.live import LiveComparison
from shop.exercises.live_arm import SHOWN_BODY, LiveArm
from shop.exercises.live_judgement import CALLS, ArmResult, LiveResult, check_lateness, check_name, judge_arms
from shop.exercises.verdict import AttemptFailed, CannotJudge, FailureReport
from shop.lab.saved_state import restore_afterwards
from shop.lab.store_client import StoreClient
from shop.lab.unprotected_store import switches_of_measurement
from shop.switches.attempt_notes import STOPPED

ATTEMPT = "attempt"
"""The value of a switch that puts the attempt in force."""
ORDER = (False, True, True, False)
"""Whether the attempt is in force, for each arm."""
ARM_S = 5.0
WORKER_SETTLE_S = 1.2
"""Every process applies a switch within a second. Only web processes say when they have done so."""
LIMIT_S = 120.0
"""For the whole stage; a full one takes about 30 seconds."""


@dataclass(frozen=True)
class LivePlan:
    """How a live stage runs.

    Args:
        comparison: what is measured.
        switch: puts the attempt in force.
        default: its value for the store's own code.
        attempt: its value for the attempt.
        arm_s: length of the load of each arm.
        version: of the attempt's text, which the store must run; empty if a pattern's own value stands for an attempt.
        by_counts_alone: for short arms on a busy machine: neither the ratio nor the generator's lateness counts.
    """

    comparison: LiveComparison
    switch: str
    default: str
    attempt: str = ATTEMPT
    version: str = ""
    arm_s: float = ARM_S
    by_counts_alone: bool = False

    @property
    def load(self) -> str:
        """Return what is done, as a sentence."""
        return (
            f"{self.comparison.did[0].upper()}{self.comparison.did[1:]}: {self.comparison.rate:g} a second for"
            f" {self.arm_s:g} s, twice with your code ({self.switch}={self.attempt}) and twice with the store's own"
            f" ({self.switch}={self.default})."
        )


def run_live_stage(plan: LivePlan, store: StoreClient, lab_dir: Path, report: Callable[[str], None]) -> LiveResult:
    """Compare the attempt with the store's own code; afterwards the store is as it was.

    Args:
        plan: what is done.
        store: the running store.
        lab_dir: folder of the restore file, which experiments use, too: only one of them runs at a time.
        report: receives a sentence when an arm begins, or when a killed check was restored.

    Raises:
        AttemptFailed: a call of the attempt failed in the store.
        CannotJudge: the machine or the store was not fit for it, or it took too long.
        ConfigurationError: another check or experiment is running, or a fault is set.
        ExperimentInterrupted: a signal stopped the check; the store has been restored.
    """
    comparison = plan.comparison
    restored = restore_afterwards(
        store,
        lab_dir,
        {plan.switch, *switches_of_measurement(comparison.switches, plan.switch)},
        report,
        parameters=comparison.parameters,
        faults=comparison.faults,
        own_products=comparison.own_products,
    )
    with restored:
        try:
            arms = _measure_arms(plan, store, report)
        except ServiceUnavailable as error:
            raise CannotJudge(str(error)) from None
    if not plan.by_counts_alone:
        check_lateness(arms)
    result = judge_arms(comparison, arms, plan.load, with_ratio=not plan.by_counts_alone)
    return replace(result, passed=(check_name(CALLS), *result.passed)) if plan.version else result


def _measure_arms(plan: LivePlan, store: StoreClient, report: Callable[[str], None]) -> list[ArmResult]:
    comparison, deadline = plan.comparison, time.monotonic() + LIMIT_S
    for name, value in switches_of_measurement(comparison.switches, plan.switch).items():
        store.set_switch(name, value)
    for name, number in comparison.parameters.items():
        store.set_parameter(name, number)
    arms: list[ArmResult] = []
    for number, is_attempt in enumerate(ORDER):
        if time.monotonic() > deadline:
            raise CannotJudge(f"The live stage timed out: it was not finished after {LIMIT_S:.0f} s.")
        value = plan.attempt if is_attempt else plan.default
        report(f"Live stage, {number + 1} of {len(ORDER)}: {plan.switch}={value}, {plan.arm_s:g} s of load")
        if number == 0 or is_attempt != ORDER[number - 1]:
            _set_switch(store, plan.switch, value)
            if comparison.in_worker:
                time.sleep(WORKER_SETTLE_S)
        began = datetime.now(UTC)
        arms.append(_measure_arm(LiveArm(store, comparison, plan.arm_s, number), comparison, is_attempt=is_attempt))
        if is_attempt and plan.version:
            _check_attempt(store.attempt_report(plan.switch), plan, began)
    return arms


def _check_attempt(report: Mapping[str, Any], plan: LivePlan, began: datetime) -> None:
    """Check that the store ran the attempt, this text of it, and that no call of it failed.

    Raises:
        AttemptFailed: a call failed; the store's own code did that work.
        CannotJudge: the store ran another text.
    """
    notes = [note for note in report.get("notes", ()) if datetime.fromisoformat(note["at"]) >= began]
    if notes:
        first = next((note for note in notes if note["kind"] == STOPPED), notes[-1])
        did = f"{plan.load} In it: {first['did']}"
        raise AttemptFailed(FailureReport(check_name(CALLS), did, "it returns.", first["came"], first["look"]))
    if report.get("value") != f"{plan.attempt}:{plan.version}":
        raise CannotJudge(
            f"The store ran {report.get('value') or 'its own code'} instead of {plan.attempt}:{plan.version}: was your"
            " file saved during the check, or does another checkout's store run?"
        )


def _measure_arm(arm: LiveArm, comparison: LiveComparison, *, is_attempt: bool) -> ArmResult:
    try:
        counts: Mapping[str, float] = comparison.measure(arm)
    finally:
        if comparison.faults:
            arm.store.clear_faults()
    lag_ms = max(arm.lags_p95_ms, default=0.0)
    if not arm.failed:
        return ArmResult(is_attempt, counts, lag_ms)
    first = arm.failed[0]
    came = f"{first.status}: {first.text.strip()[:SHOWN_BODY]}" if first.status else first.text
    return ArmResult(
        is_attempt, counts, lag_ms, len(arm.failed), (str(first.request), came), first.header("x-request-id")
    )


def _set_switch(store: StoreClient, name: str, value: str) -> None:
    try:
        store.set_switch(name, value)
    except ConfigurationError as error:
        raise CannotJudge(f"The running store does not take {name}={value}: {error}") from None
    store.wait_applied()
