"""``python -m tools.gate``: measure, and write ``results/gate.json``."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Measure every cell; what a spawned worker imports stays small, so that imports are in here."""
    from dataclasses import asdict
    from importlib.metadata import version

    from overmix.study.store.files import write_json
    from tools.gate.measure import PASSES, SETTINGS, kept_iterator, measure, plain_flag

    rows = []
    for setting in SETTINGS:
        row = asdict(setting) | measure(setting)
        print(row, flush=True)
        rows.append(row)
    versions = {name: version(name) for name in ("torch", "torchvision", "lightning", "transformers")}
    controls = {"a flag in the place of the gate": plain_flag(), "an iterator that lives on": kept_iterator()}
    result = {"passes": PASSES, "rows": rows, "controls": controls, "versions": versions}
    write_json(ROOT / "results" / "gate.json", result)


if __name__ == "__main__":
    main()
