"""``result.json``: the figures of one experiment, as the contract describes them, and where they are kept."""

import json
import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from shop.errors import NotFound
from shop.lab.experiment import LabExperiment
from shop.lab.figures import FIGURES, LAYERS, Figures, compute_figures, compute_ratios
from shop.lab.runner import RunRecord
from shop.lab.statistics import FigureSpread, percentile
from shop.lab.verdict import RunEvidence, judge, steady_state_drift, steady_state_failure

LATEST = "latest"
DISTRIBUTION = (1, 5, 10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.9)
"""Percentiles kept for drawing, of the samples of all runs together."""

Result = dict[str, Any]
"""A result document; its shape is the contract's."""


def build_result(experiment: LabExperiment, record: RunRecord, started: datetime, before: Mapping[str, str]) -> Result:
    """Turn what was seen into a result document.

    Args:
        experiment: what was run.
        record: what was seen.
        started: when.
        before: how all switches stood before.
    """
    good_within = experiment.workload.good_within_ms
    runs = [{seen.arm: compute_figures(seen, good_within) for seen in run} for run in record.observations]
    arms = {arm.name: _over_runs([run[arm.name] for run in runs]) for arm in experiment.arms}
    ratio = compute_ratios(experiment.ratios, runs)
    saturated = {arm.name: sign for arm in experiment.arms if (sign := _saturated(arm.name, record))}
    troubles = {arm.name: _troubles(arm.name, record) for arm in experiment.arms}
    judgement = judge(
        experiment,
        RunEvidence(
            arms=arms,
            ratios=ratio,
            runs=len(runs),
            saturation=saturated,
            unsettled_hit_rates=_unsettled(record),
            anomalies=troubles,
            unsteady=steady_state_failure(record.before, record.after),
            drift=steady_state_drift(experiment, record.before, record.after),
        ),
    )
    return {
        "experiment": experiment.name,
        "title": experiment.title,
        "hypothesis": experiment.hypothesis,
        "verdict": judgement.verdict,
        "reason": judgement.reason,
        "started_at": started.isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "runs": len(runs),
        "arms": [
            {
                "name": arm.name,
                "title": arm.title,
                "switches": {**before, **arm.switches},
                "faults": dict(arm.faults),
                "actions": [action.model_dump() for action in arm.actions],
                "knobs": experiment.parameters_for(arm),
                "exponent": experiment.exponent_of(arm),
                **_arm_sections(arms[arm.name], experiment.arm_driver.measures),
                "generator_saturated": arm.name in saturated,
                "troubles": troubles[arm.name],
                "distribution_ms": _distribution(arm.name, record),
                "per_run": [run[arm.name] for run in runs],
                "curve": _curve(arm.name, record),
            }
            for arm in experiment.arms
        ],
        "ratios": {name: _round(spread.median) if spread else None for name, spread in ratio.items()},
        "spread": {name: _bounds(spread) for name, spread in ratio.items() if spread},
        "words": {name: [measure.label, measure.unit] for name, measure in experiment.arm_driver.measures.items()},
        "charts": [chart.model_dump() for chart in experiment.charts],
        "judged": {"correctness": judgement.correctness, "timing": judgement.timing},
        "claims": [
            {"claim": one.claim, "outcome": one.outcome, "words": one.statement, "seen": one.measured}
            for one in judgement.claims
        ],
        "steady_state": {
            "says": experiment.steady_state.says,
            "p50_before_ms": _middle(record.before.latencies_ms),
            "p50_after_ms": _middle(record.after.latencies_ms),
        },
        "good_within_ms": good_within,
    }


def describe_machine() -> dict[str, Any]:
    """Describe the machine the figures come from."""
    return {
        "cpus": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def save_result(result: Result, folder: Path) -> Path:
    """Write a result into a folder of its own, point ``latest`` at it, and return the folder.

    Args:
        result: the document.
        folder: where results are kept.
    """
    stamp = result["started_at"].replace(":", "").replace("-", "").split("+")[0]
    home = folder / f"{stamp}-{result['experiment']}"
    home.mkdir(parents=True, exist_ok=True)
    (home / "result.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    link = folder / LATEST
    making = folder / f"{LATEST}.making"
    making.unlink(missing_ok=True)
    making.symlink_to(home.name)
    making.replace(link)
    return home


def find_result(folder: Path, run: str = LATEST) -> Path:
    """Return the folder of a run.

    Raises:
        NotFound: there is none of that name.
    """
    home = (folder / run).resolve()
    if not (home / "result.json").is_file():
        made = sorted(path.parent.name for path in folder.glob("*/result.json") if not path.parent.is_symlink())
        known = f"there are {', '.join(made)}" if made else "run one with `shop lab run cache-aside`"
        raise NotFound(f"There is no result {run!r} in {folder}: {known}.")
    return home


def read_result(home: Path) -> Result:
    """Read the result in a folder."""
    document: Result = json.loads((home / "result.json").read_text(encoding="utf-8"))
    return document


def _over_runs(runs: list[Figures]) -> dict[str, FigureSpread | None]:
    return {name: FigureSpread.of(run[name] for run in runs) for name in runs[0]}


def _arm_sections(spreads: Mapping[str, FigureSpread | None], driver_measures: Iterable[str]) -> dict[str, Any]:
    """Return an arm's figures, each in the section that the table of figures names."""
    medians = {name: _round(spread.median) if spread else None for name, spread in spreads.items()}
    measures = [figure.name for figure in FIGURES.values() if figure.section == "measures"]
    return {
        **{figure.name: medians[figure.name] for figure in FIGURES.values() if not figure.section},
        "hit_rate": {layer: medians[f"hit_rate_{layer}"] for layer in LAYERS},
        "measures": {name: medians[name] for name in (*measures, *driver_measures)},
        "spread": {name: _bounds(spread) for name, spread in spreads.items() if spread},
    }


def _saturated(arm: str, record: RunRecord) -> str | None:
    seen = [observation for run in record.observations for observation in run if observation.arm == arm]
    signs = (
        phase.saturation for observation in seen for phase in (observation.open_loop, observation.closed_loop) if phase
    )
    return next(filter(None, signs), None)


def _troubles(arm: str, record: RunRecord) -> dict[str, float]:
    """Return what the store counted as trouble in all runs of an arm together."""
    seen = [observation.anomalies for run in record.observations for observation in run if observation.arm == arm]
    return dict(sum((Counter(one) for one in seen), Counter()))


def _unsettled(record: RunRecord) -> dict[str, str]:
    return {seen.arm: seen.unsettled for run in record.observations for seen in run if seen.unsettled}


def _distribution(arm: str, record: RunRecord) -> list[tuple[float, float]]:
    runs = [observation for run in record.observations for observation in run if observation.arm == arm]
    samples = [ms for observation in runs for ms in observation.open_loop.latencies_ms]
    return [(percent, round(percentile(samples, percent), 3)) for percent in DISTRIBUTION] if samples else []


def _curve(arm: str, record: RunRecord) -> list[tuple[float, float, float, float]]:
    """Return a driver's curve: each place with the median over the runs, the lowest and the highest."""
    curves = [observation.curve for run in record.observations for observation in run if observation.arm == arm]
    spreads = [(points[0][0], FigureSpread.of(value for _, value in points)) for points in zip(*curves, strict=False)]
    return [(at, _round(found.median), _round(found.low), _round(found.high)) for at, found in spreads if found]


def _bounds(spread: FigureSpread) -> dict[str, float]:
    return {"min": _round(spread.low), "max": _round(spread.high)}


def _middle(samples: list[float]) -> float | None:
    return _round(percentile(samples, 50)) if samples else None


def _round(figure: float) -> float:
    return round(figure, 4)
