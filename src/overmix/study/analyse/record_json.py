"""The record of a study as ``summary.json`` has it, and back. The keys are documented, and stay."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from overmix.diagnose import Advice
from overmix.diagnose.sentences import Part
from overmix.real_numbers import is_real
from overmix.study.analyse.record import (
    NO_ADVICE,
    BestCheckpoint,
    ConditionSummary,
    Estimate,
    LowestLoss,
    PairedDifference,
    PolicyChoice,
    StepCount,
    Summary,
    SwitchSearch,
    Tuned,
)

SCHEMA_VERSION = 1


def to_json(summary: Summary) -> dict[str, Any]:
    """Return the content of ``summary.json``."""
    return {
        "schema_version": SCHEMA_VERSION,
        "name": summary.name,
        "metric": summary.metric,
        "labels": summary.labels,
        "unit": summary.unit,
        "conditions": [_condition_json(condition) for condition in summary.conditions],
        "comparisons": [_comparison_json(comparison) for comparison in summary.comparisons],
        "advice": summary.advice.to_dict() | {"code": summary.code},
        "best": summary.best,
        "majority": summary.majority,
        "unequal": summary.unequal,
        "policies": _search_json(summary.search) if summary.search else None,
        "floor": dict(summary.floor),
        "epochs": summary.epochs,
        "n_test": summary.n_test,
        "n_val": summary.n_val,
        "steps": {"trained": summary.steps.trained, "separate": summary.steps.separate} if summary.steps else None,
        "elapsed_seconds": summary.elapsed_seconds,
        "versions": dict(summary.versions),
        "earlier_versions": [dict(versions) for versions in summary.earlier_versions],
        **({"tuned": [asdict(one) for one in summary.tuned]} if summary.tuned else {}),
    }


def from_json(content: Mapping[str, Any]) -> Summary:
    """Return what ``summary.json`` says; what a file of an earlier version lacks is left out.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: if it is no such file.
    """
    advice = content.get("advice") or {}
    steps = content.get("steps")
    return Summary(
        name=str(content.get("name") or ""),
        labels=content.get("labels") or "classes",
        unit=content.get("unit") or "fraction",
        conditions=tuple(_condition(row) for row in content["conditions"]),
        comparisons=tuple(_comparison(row) for row in content.get("comparisons") or ()),
        advice=_advice(advice) if advice else NO_ADVICE,
        code=advice.get("code") or None,
        best=content.get("best"),
        metric=content.get("metric") or "error",
        majority=_number(content.get("majority")),
        unequal=bool(content.get("unequal")),
        search=_search(content["policies"]) if content.get("policies") else None,
        floor={str(name): float(value) for name, value in (content.get("floor") or {}).items()},
        epochs=content.get("epochs"),
        n_test=content.get("n_test"),
        n_val=content.get("n_val"),
        steps=StepCount(int(steps["trained"]), int(steps["separate"])) if steps else None,
        elapsed_seconds=_number(content.get("elapsed_seconds")),
        versions=dict(content.get("versions") or {}),
        earlier_versions=tuple(content.get("earlier_versions") or ()),
        tuned=tuple(_tuned(one) for one in content.get("tuned") or ()),
    )


def _condition_json(condition: ConditionSummary) -> dict[str, Any]:
    checkpoint, by_loss = condition.best_checkpoint, condition.lowest_loss
    return {
        "name": condition.name,
        "role": condition.role,
        "n_seeds": condition.n_seeds,
        "n_diverged": condition.n_diverged,
        "switch_epoch": condition.switch_epoch,
        "decided": list(condition.decided) or None,
        "cost": condition.cost,
        "steps": condition.steps,
        "seconds": condition.seconds,
        "epochs": condition.epochs,
        "family": condition.family,
        "accumulated_lr": list(condition.accumulated_lr),
        "best_checkpoint": checkpoint
        and {
            "epochs": list(checkpoint.epochs),
            "error": checkpoint.error,
            **_estimate_json("gain", checkpoint.gain),
        },
        "lowest_loss": by_loss
        and {"epochs": list(by_loss.epochs), "loss": by_loss.loss, **_estimate_json("error", by_loss.error)},
        **_estimate_json("final_cross_entropy", condition.cross_entropy),
        **_estimate_json("final_brier", condition.brier),
        **_estimate_json("final_ece", condition.ece),
        **_estimate_json("final_error", condition.final),
        **_estimate_json("final_balanced_error", condition.balanced),
        **_estimate_json("lowest_error", condition.lowest),
        **_estimate_json("turning_epoch", condition.turning_epoch),
        **_estimate_json("depth", condition.depth),
        "delta": condition.delta,
        "method": condition.method,
        "verdict": condition.verdict,
        "advice": condition.advice,
    }


def _condition(row: Mapping[str, Any]) -> ConditionSummary:
    checkpoint, by_loss = row.get("best_checkpoint"), row.get("lowest_loss")
    return ConditionSummary(
        name=str(row["name"]),
        role=str(row.get("role") or "other"),
        n_seeds=int(row.get("n_seeds") or 0),
        n_diverged=int(row.get("n_diverged") or 0),
        verdict=row.get("verdict"),
        final=_estimate(row, "final_error"),
        lowest=_estimate(row, "lowest_error"),
        turning_epoch=_estimate(row, "turning_epoch"),
        depth=_estimate(row, "depth"),
        delta=_number(row.get("delta")),
        method=row.get("method"),
        advice=row.get("advice"),
        cross_entropy=_estimate(row, "final_cross_entropy"),
        brier=_estimate(row, "final_brier"),
        ece=_estimate(row, "final_ece"),
        balanced=_estimate(row, "final_balanced_error"),
        switch_epoch=_number(row.get("switch_epoch")),
        decided=_epochs(row.get("decided")),
        cost=_number(row.get("cost")),
        steps=_number(row.get("steps")),
        seconds=_number(row.get("seconds")),
        epochs=row.get("epochs"),
        family=str(row.get("family") or ""),
        accumulated_lr=tuple(float(total) for total in row.get("accumulated_lr") or ()),
        best_checkpoint=checkpoint
        and BestCheckpoint(
            _epochs(checkpoint["epochs"]), _number(checkpoint.get("error")), _estimate(checkpoint, "gain")
        ),
        lowest_loss=by_loss
        and LowestLoss(_epochs(by_loss["epochs"]), _number(by_loss["loss"]), _estimate(by_loss, "error")),
    )


def _comparison_json(pair: PairedDifference) -> dict[str, Any]:
    return {
        "a": pair.a,
        "b": pair.b,
        "difference": pair.difference.value,
        "ci": _interval_json(pair.difference),
        "n": pair.n,
        "p_value": pair.p_value,
        "p_holm": pair.p_holm,
    }


def _comparison(row: Mapping[str, Any]) -> PairedDifference:
    return PairedDifference(
        a=str(row["a"]),
        b=str(row["b"]),
        difference=_estimate(row, "difference", "ci"),
        n=row.get("n"),
        p_value=_number(row.get("p_value")),
        p_holm=_number(row.get("p_holm")),
    )


def _advice(row: Mapping[str, Any]) -> Advice:
    known = {field.name for field in fields(Advice)}
    return Advice(**{key: _advice_value(value) for key, value in row.items() if key in known})


def _advice_value(value: Any) -> Any:
    """Return a value of the advice: its parts are mappings, intervals lists."""
    if isinstance(value, Mapping):
        part: dict[str, Any] = {key: _advice_value(inner) for key, inner in value.items()}
        return Part(**part)
    return tuple(value) if isinstance(value, list) else value


def _tuned(row: Mapping[str, Any]) -> Tuned:
    tried = {name: tuple(row.get(name) or ()) for name in ("decays", "alphas")}
    return Tuned(**{**row, **tried})


def _search_json(search: SwitchSearch) -> dict[str, Any]:
    return {
        "oracle": {"switch_at": search.best_at, "error": search.best_error},
        "seeds": list(search.seeds),
        "rows": [
            {
                "policy": choice.policy,
                "trained": choice.trained,
                "switch_at": list(choice.switch_at),
                "cost": choice.cost,
                "error": choice.error,
                **_estimate_json("regret", choice.regret),
            }
            for choice in search.choices
        ],
    }


def _search(row: Mapping[str, Any]) -> SwitchSearch:
    return SwitchSearch(
        best_at=int(row["oracle"]["switch_at"]),
        best_error=float(row["oracle"]["error"]),
        seeds=tuple(int(seed) for seed in row["seeds"]),
        choices=tuple(
            PolicyChoice(
                policy=str(choice["policy"]),
                switch_at=_epochs(choice["switch_at"]),
                error=_number(choice["error"]),
                regret=_estimate(choice, "regret"),
                cost=_number(choice["cost"]),
                trained=bool(choice["trained"]),
            )
            for choice in row["rows"]
        ),
    )


def _estimate_json(key: str, estimate: Estimate) -> dict[str, Any]:
    return {key: estimate.value, f"{key}_ci": _interval_json(estimate)}


def _interval_json(estimate: Estimate) -> list[float] | None:
    return None if estimate.interval is None else list(estimate.interval)


def _estimate(row: Mapping[str, Any], key: str, interval: str | None = None) -> Estimate:
    ends = row.get(interval or f"{key}_ci")
    if not isinstance(ends, Sequence) or len(ends) != 2:
        return Estimate(_number(row.get(key)))
    return Estimate(_number(row.get(key)), _number(ends[0]), _number(ends[1]))


def _number(value: Any) -> float | None:
    """Return a finite number as it is, or None."""
    return value if is_real(value) and math.isfinite(value) else None


def _epochs(values: Sequence[int] | None) -> tuple[int, ...]:
    return tuple(int(epoch) for epoch in values or ())
