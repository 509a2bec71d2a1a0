"""A public name means one thing: what several rooms define is listed here, with the reason."""

import ast
from collections import defaultdict
from pathlib import Path

import overmix

ROOT = Path(overmix.__file__).parent

SHARED = {
    "CutMix": "the transform that torchvision's users put in its place, by the name they know",
    "Mixup": "the class that timm's users put in its place, by the name they know",
    "IGNORE_INDEX": "PyTorch's number for a label that does not count; diagnose imports nothing of mix",
    "SCHEMA_VERSION": "of each file format its own",
    "add": "of sums of scores, and PyTorch's own name of a kernel",
}


def public_names(tree):
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_no_other_name_is_defined_in_two_rooms():
    rooms = defaultdict(set)
    for file in ROOT.rglob("*.py"):
        room, *_ = file.relative_to(ROOT).parts
        for name in public_names(ast.parse(file.read_text(encoding="utf-8"))):
            if not name.startswith("_"):
                rooms[name].add(room)
    assert {name for name, defining in rooms.items() if len(defining) > 1} == SHARED.keys()
