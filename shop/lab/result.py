"""Builds ``result.json``, the document of one experiment's figures; saves it and finds it again."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from shop.errors import NotFound
from shop.lab.experiment import LabExperiment
from shop.lab.figures import FIGURES, LAYERS, ArmObservation, compute_figures, compute_ratios
from shop.lab.machine import describe_machine
from shop.lab.runner import RunRecord
from shop.lab.statistics import FigureSpread, percentile
from shop.lab.unmeasured_figures import blank_unmeasured
from shop.lab.unprotected_store import switches_of_measurement
from shop.lab.verdict import ExperimentVerdict, RunEvidence, judge, steady_state_drift, steady_state_failure

LATEST = "latest"
DISTRIBUTION = (1, 5, 10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.9)
"""The percentiles for the chart, of the samples of all runs together."""

Result = dict[str, Any]
"""A result document; the contract defines its shape."""


def build_result(
    experiment: LabExperiment,
    record: RunRecord,
    started: datetime,
    before: Mapping[str, str],
    size: Mapping[str, int] = MappingProxyType({}),
) -> Result:
    """Turn the observations of an experiment into a result document.

    Args:
        experiment: the experiment.
        record: its observations.
        started: its start.
        before: the values of all switches before it.
        size: of the store, as its client counts it.
    """
    good_within = experiment.workload.good_within_ms
    observations = {
        arm.name: [seen for run in record.observations for seen in run if seen.arm == arm.name]
        for arm in experiment.arms
    }
    figures = {name: [compute_figures(each, good_within) for each in of_arm] for name, of_arm in observations.items()}
    runs = [dict(zip(figures, of_run, strict=True)) for of_run in zip(*figures.values(), strict=True)]
    evidence = RunEvidence(
        arms={
            name: {figure: FigureSpread.of(run[figure] for run in of_arm) for figure in of_arm[0]}
            for name, of_arm in figures.items()
        },
        ratios=compute_ratios(experiment.ratios, runs),
        runs=len(runs),
        saturation={
            name: signs[0]
            for name, of_arm in observations.items()
            if (signs := [phase.saturation for each in of_arm for phase in each.phases if phase.saturation])
        },
        unsettled_hit_rates={seen.arm: seen.unsettled for run in record.observations for seen in run if seen.unsettled},
        anomalies={
            name: dict(sum((Counter(each.anomalies) for each in of_arm), Counter()))
            for name, of_arm in observations.items()
        },
        unsteady=steady_state_failure(record.before, record.after),
        drift=steady_state_drift(experiment, record.before, record.after),
    )
    latencies = {
        name: [ms for each in of_arm for ms in each.open_loop.latencies_ms] for name, of_arm in observations.items()
    }
    judgement = judge(experiment, evidence)
    return {
        "experiment": experiment.name,
        "title": experiment.title,
        "form": "full" if experiment.quick else "quick",
        "hypothesis": experiment.hypothesis,
        "teaches": experiment.teaches.strip(),
        "headline": _headline(experiment, evidence, judgement),
        "verdict": judgement.verdict,
        "reason": judgement.reason,
        "refuted_by": [judged.statement for judged in judgement.refuted_by],
        "started_at": started.isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "store": dict(size),
        "runs": len(runs),
        "arms": [
            {
                "name": arm.name,
                "title": arm.title,
                "switches": {**before, **switches_of_measurement(arm.switches)},
                "faults": dict(arm.faults),
                "actions": [action.model_dump() for action in arm.actions],
                "knobs": experiment.parameters_for(arm),
                "exponent": experiment.exponent_of(arm),
                "browsers": arm.browsers,
                **_figure_sections(evidence.arms[arm.name], experiment.arm_driver.measures),
                "generator_saturated": arm.name in evidence.saturation,
                "troubles": evidence.anomalies[arm.name],
                "distribution_ms": [
                    (percent, round(percentile(latencies[arm.name], percent), 3))
                    for percent in DISTRIBUTION
                    if latencies[arm.name]
                ],
                "per_run": figures[arm.name],
                "curve": _curve_spread(observations[arm.name]),
            }
            for arm in experiment.arms
        ],
        "ratios": {name: _round(spread.median) if spread else None for name, spread in evidence.ratios.items()},
        "spread": {name: _bounds(spread) for name, spread in evidence.ratios.items() if spread},
        "words": {name: [measure.label, measure.unit] for name, measure in experiment.arm_driver.measures.items()},
        "charts": [chart.model_dump() for chart in experiment.charts],
        "judged": {"correctness": judgement.correctness, "timing": judgement.timing},
        "claims": [
            {"claim": judged.claim, "outcome": judged.outcome, "words": judged.statement, "seen": judged.measured}
            for judged in judgement.claims
        ],
        "steady_state": {
            "says": experiment.steady_state.says,
            "p50_before_ms": _median(record.before.latencies_ms),
            "p50_after_ms": _median(record.after.latencies_ms),
        },
        "good_within_ms": good_within,
    }


def _headline(experiment: LabExperiment, evidence: RunEvidence, judgement: ExperimentVerdict) -> dict[str, Any]:
    """Return the figure that the experiment is about, with its spread and the outcome of its claim."""
    claim = experiment.headline.claim
    kind, name, *figure = claim.split()[0].split(".")
    spread = evidence.ratios[name] if kind == "ratios" else evidence.arms[name][figure[0]]
    units = {name: measure.unit for name, measure in experiment.arm_driver.measures.items()}
    units |= {name: one.unit for name, one in FIGURES.items()}
    return {
        "claim": claim,
        "says": experiment.headline.says,
        "figure": _round(spread.median) if spread else None,
        "low": _round(spread.low) if spread else None,
        "high": _round(spread.high) if spread else None,
        "unit": "" if kind == "ratios" else units[figure[0]],
        "outcome": next((judged.outcome for judged in judgement.claims if judged.claim == claim), "not measured"),
    }


def save_result(result: Result, folder: Path) -> Path:
    """Write a result into a folder of its own, let ``latest`` point to it, and return the folder.

    Args:
        result: the document.
        folder: the folder of results.
    """
    stamp = result["started_at"].replace(":", "").replace("-", "").split("+")[0]
    home = folder / f"{stamp}-{result['experiment']}"
    home.mkdir(parents=True, exist_ok=True)
    (home / "result.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    link = folder / LATEST
    temporary = folder / f"{LATEST}.making"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(home.name)
    temporary.replace(link)
    return home


def find_result(folder: Path, run: str = LATEST) -> Path:
    """Return the folder of a run.

    Raises:
        NotFound: no run has that name.
    """
    home = (folder / run).resolve()
    if not (home / "result.json").is_file():
        names = sorted(path.parent.name for path in folder.glob("*/result.json") if not path.parent.is_symlink())
        hint = f"there are {', '.join(names)}" if names else "run an experiment with `bin/shop lab run cache-aside`"
        raise NotFound(f"There is no result {run!r} in {folder}: {hint}.")
    return home


def read_result(home: Path) -> Result:
    """Read the result in a folder."""
    return parse_result((home / "result.json").read_text(encoding="utf-8"))


def parse_result(text: str) -> Result:
    """Return a stored result; a figure that was not measured is ``None``, whatever an earlier release stored.

    Args:
        text: the content of a ``result.json``.
    """
    return blank_unmeasured(json.loads(text))


def _figure_sections(spreads: Mapping[str, FigureSpread | None], driver_measures: Iterable[str]) -> dict[str, Any]:
    """Return the figures of an arm, each in the section that the table of figures names."""
    medians = {name: _round(spread.median) if spread else None for name, spread in spreads.items()}
    measures = [figure.name for figure in FIGURES.values() if figure.section == "measures"]
    return {
        **{figure.name: medians[figure.name] for figure in FIGURES.values() if not figure.section},
        "hit_rate": {layer: medians[f"hit_rate_{layer}"] for layer in LAYERS},
        "measures": {name: medians[name] for name in (*measures, *driver_measures)},
        "spread": {name: _bounds(spread) for name, spread in spreads.items() if spread},
    }


def _curve_spread(observations: Iterable[ArmObservation]) -> list[tuple[float, float, float, float]]:
    """Return a driver's curve: for each place the median over the runs, the lowest and the highest."""
    points_by_place = zip(*(each.curve for each in observations), strict=False)
    spreads = [(points[0][0], FigureSpread.of(value for _, value in points)) for points in points_by_place]
    return [
        (place, _round(spread.median), _round(spread.low), _round(spread.high)) for place, spread in spreads if spread
    ]


def _bounds(spread: FigureSpread) -> dict[str, float]:
    return {"min": _round(spread.low), "max": _round(spread.high)}


def _median(samples: list[float]) -> float | None:
    return _round(percentile(samples, 50)) if samples else None


def _round(figure: float) -> float:
    return round(figure, 4)
