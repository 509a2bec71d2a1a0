"""``python -m tools.conformance``, or with names of integrations: their rows anew, the others as they were."""

from __future__ import annotations

import sys
import warnings
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch

from overmix.study.store.files import read_json, write_bytes, write_json
from tools.conformance.page import RESULTS, source_digest, texts
from tools.conformance.rows import INTEGRATIONS, all_rows

ROOT = Path(__file__).parents[2]
VERSIONS = ("torch", "lightning", "transformers", "accelerate", "timm", "torchvision", "scikit-learn")


def main() -> int:
    """Train every row, and write the results and the table."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    names = sys.argv[1:] or list(INTEGRATIONS)
    if unknown := set(names) - set(INTEGRATIONS):
        sys.exit(f"no such integration: {', '.join(sorted(unknown))}; use some of {', '.join(INTEGRATIONS)}")
    earlier = [] if len(names) == len(INTEGRATIONS) else read_json(ROOT / RESULTS)["rows"]
    sources, rows = source_digest(ROOT), []
    for row in all_rows(names, earlier):
        rows.append(asdict(row))
        state = {True: "equal", False: "DIFFERENT", None: "-"}[row.equal]
        print(row.integration, row.setting, row.switch, state, row.note, sep=" | ", flush=True)
    versions = {name: version(name).split("+")[0] for name in VERSIONS}
    write_json(ROOT / RESULTS, {"sources": sources, "versions": versions, "rows": rows})
    for path, text in texts(ROOT).items():
        write_bytes(ROOT / path, text.encode())
    return int(any(row["equal"] is False and not _known(row["integration"], row["setting"]) for row in rows))


def _known(integration: str, setting: str) -> bool:
    return setting in INTEGRATIONS[integration].known


if __name__ == "__main__":
    sys.exit(main())
