# ruff: noqa: E501 - a sentence stands on one line
"""The table: a study in numbers, and what the advice says of it. Each row is a situation that a user can be in.

Errors in percent; where nothing is said of them, every difference is known to ± 0.3 points, from 16 seeds.
"""

from __future__ import annotations

import re

import pytest
from tests.diagnose.advice.situations import Study

TABLE = [
    (
        "E1: worse to the end, no switch gains",
        Study(erm=6.0, mixup=11.7, off={12: 6.1, 125: 6.4}, within=0.3),
        "shown: Do not mix to the end: 5.7 points worse than plain training [5.4, 6.0]; no switch gains: train plainly.",
        "shown: Not at all; if you mix all the same, off at about 12.",
        "shown: Nothing more is needed: use ERM.",
    ),
    (
        "E2: a large gain, when to switch is within noise",
        Study(erm=20.0, mixup=19.1, off={125: 18.9, 188: 18.95}, auto=18.75, within=0.4),
        "shown: Mix: 1.3 points better than plain training [0.7, 1.8].",
        "open: Off by AutoSwitch, here at about 110, is the best guess; 90 to the end may be as good.",
        "shown: Nothing more is needed: use auto.",
    ),
    (
        "E3: the comparison that blocks is that with ERM",
        Study(erm=7.2, mixup=9.5, off={128: 6.6}, within=0.8),
        "open: Mix or not is open: to the end it is 2.3 points worse than plain training [1.5, 3.1], switched off between 0.3 points worse and 1.5 points better.",
        "shown: If you mix: off at about 128.",
        "likely: 64 more seeds (80 in all) would likely tell whether mixing helps.",
    ),
    (
        "E4: plain training over-trains itself",
        Study(erm=8.0, mixup=8.1, off={128: 8.05}, stops=1.9, within=0.3),
        "shown: No difference that matters: none of its forms gains 0.5 points; train plainly, it is cheaper.",
        "shown: Not at all; if you mix all the same, off at about 128 (128 to the end may be as good).",
        "shown: Stop plain training at about epoch 12 (10–20): its own curve turns, and it ends 1.9 points worse than its best [0.3, 3.5].",
    ),
    (
        "E5: every curve still falls",
        Study(erm=30.0, mixup=34.0, off={750: 32.0}, falls=3.1),
        "open: Nothing is said about mixing: every curve still falls at the last epoch.",
        "open: Not known yet.",
        "shown: Train longer, 2000 epochs for example: every curve still falls, by 3.1 points [2.7, 3.5] or more over the last quarter.",
    ),
    (
        "E6: equal error, better probabilities",
        Study(erm=8.0, mixup=8.1, off={128: 8.0}, scores={"ERM": 0.135, "@128": 0.112, "Mixup": 0.15}, within=0.2),
        "shown: No difference that matters: none of its forms gains 0.5 points; train plainly, it is cheaper.",
        "shown: Not at all; if you mix all the same, off at about 128 (128 to the end may be as good).",
        "shown: Nothing more is needed: use ERM.",
        "shown: At about equal error the probabilities of @128 are better, Brier score 0.112 against 0.135 of plain training: where probabilities matter, mix and switch off.",
    ),
    (
        "E7: the lowest test error is not what is recommended",
        Study(
            erm=9.0, mixup=9.5, off={64: 6.9, 128: 7.0}, held_out={"ERM": 9.1, "Mixup": 9.6, "@64": 7.2, "@128": 7.0}
        ),
        "shown: Mix: 2 points better than plain training [1.7, 2.3].",
        "shown: Off at about 128 (64–128 may be as good).",
        "shown: Nothing more is needed: use @128.",
    ),
    (
        "E9: its curve turns at 75, no switch was tested",
        Study(erm=8.0, mixup=7.0, turns={"Mixup": 75}),
        "shown: Mix: 1 point better than plain training [0.7, 1.3].",
        "open: Not before its own curve turns, at about 75 (56–112), is the best guess; no switch was tested here.",
        "shown: Find the switch: overmix switch with this study file tries a grid of them.",
    ),
    (
        "the demo",
        Study(erm=7.2, mixup=9.5, off={128: 6.0}, turns={"Mixup": 80}),
        "shown: Mix: 1.2 points better than plain training [0.9, 1.5].",
        "shown: Off at about 128.",
        "shown: Nothing more is needed: use @128.",
    ),
    (
        "the demo with its condition that decides",
        Study(erm=7.2, mixup=9.5, off={128: 6.0}, auto=6.1, turns={"Mixup": 80}),
        "shown: Mix: 1.2 points better than plain training [0.8, 1.6].",
        "shown: Off at about 128 (90–140 may be as good).",
        "shown: Nothing more is needed: use @128.",
    ),
    (
        "the default study: auto is best",
        Study(erm=7.2, mixup=8.0, off={750: 7.4}, auto=6.1, held_out={"ERM": 7, "Mixup": 8, "@750": 7.3, "auto": 6}),
        "shown: Mix: 1.1 points better than plain training [0.8, 1.4].",
        "shown: Off by AutoSwitch, here at about 110 (90–140 may be as good).",
        "shown: Nothing more is needed: use auto.",
    ),
    (
        "the default study: off at 75 % is best",
        Study(
            erm=7.2, mixup=6.5, off={750: 5.9}, auto=6.2, held_out={"ERM": 7, "Mixup": 6.4, "@750": 5.8, "auto": 6.1}
        ),
        "shown: Mix: 1.3 points better than plain training [1.0, 1.6].",
        "shown: Off at about 750 (90–750 may be as good).",
        "shown: Nothing more is needed: use @750.",
    ),
    (
        "a grid with a clear minimum",
        Study(erm=9.0, mixup=9.0, off={32: 7.5, 64: 6.4, 128: 6.0, 256: 6.3, 512: 7.2}),
        "shown: Mix: 3 points better than plain training [2.6, 3.4].",
        "shown: Off at about 128 (128–256 may be as good).",
        "shown: Nothing more is needed: use @128.",
    ),
    (
        "a flat grid",
        Study(erm=9.0, mixup=7.1, off={128: 7.0, 256: 7.0, 512: 7.05}),
        "shown: Mix: 2 points better than plain training [1.6, 2.4].",
        "open: Off at about 128 is the best guess; 128 to the end may be as good.",
        "shown: Nothing more is needed: use @128.",
    ),
    (
        "mixing to the end is best",
        Study(erm=9.0, mixup=6.0, off={128: 7.5, 512: 6.9}),
        "shown: Mix: 3 points better than plain training [2.6, 3.4].",
        "shown: To the end.",
        "shown: Nothing more is needed: use Mixup.",
    ),
    (
        "mixing to the end is best, a late switch as good",
        Study(erm=9.0, mixup=6.0, off={128: 7.5, 750: 6.1}),
        "shown: Mix: 3 points better than plain training [2.6, 3.4].",
        "open: To the end is the best guess; 750 to the end may be as good.",
        "shown: Nothing more is needed: use Mixup.",
    ),
    (
        "to the end, no switch tested, its curve falls",
        Study(erm=9.0, mixup=6.0),
        "shown: Mix: 3 points better than plain training [2.7, 3.3].",
        "open: To the end is the best guess; its curve does not turn, and no switch was tested.",
        "shown: Find the switch: overmix switch with this study file tries a grid of them.",
    ),
    (
        "to the end, no switch tested, whether it turns is open",
        Study(erm=9.0, mixup=6.0, turns={"Mixup": 0}),
        "shown: Mix: 3 points better than plain training [2.7, 3.3].",
        "open: To the end is the best guess; whether its curve turns is open, and no switch was tested.",
        "shown: Find the switch: overmix switch with this study file tries a grid of them.",
    ),
    (
        "turns below ERM, no switch tested",
        Study(erm=9.0, mixup=8.0, turns={"Mixup": 80}),
        "shown: Mix: 1 point better than plain training [0.7, 1.3].",
        "open: Not before its own curve turns, at about 80 (60–120), is the best guess; no switch was tested here.",
        "shown: Find the switch: overmix switch with this study file tries a grid of them.",
    ),
    (
        "turns above ERM, no switch tested",
        Study(erm=7.5, mixup=9.5, turns={"Mixup": 80}),
        "open: Mix or not is open: to the end it is 2 points worse than plain training [1.7, 2.3], and no switch was tested.",
        "open: If you mix: not before its own curve turns, at about 80 (60–120), is the best guess; no switch was tested here.",
        "shown: Find the switch: overmix switch with this study file tries a grid of them.",
    ),
    (
        "worse and no turn, no switch tested",
        Study(erm=7.5, mixup=9.5),
        "shown: Do not mix to the end: 2 points worse than plain training [1.7, 2.3]; train plainly.",
        "shown: Not at all.",
        "shown: Nothing more is needed: use ERM.",
    ),
    (
        "no difference, shown",
        Study(erm=7.0, mixup=7.0, off={128: 6.95}, within=0.2),
        "shown: No difference that matters: none of its forms gains 0.5 points; train plainly, it is cheaper.",
        "shown: Not at all; if you mix all the same, off at about 128 (128 to the end may be as good).",
        "shown: Nothing more is needed: use ERM.",
    ),
    (
        "no difference, likely",
        Study(erm=7.0, mixup=7.0, off={128: 6.9}, within=0.5),
        "likely: Likely no difference that matters: none of its forms gains 0.5 points; train plainly, it is cheaper.",
        "likely: Not at all, likely; if you mix all the same, off at about 128 (128 to the end may be as good).",
        "likely: 55 more seeds (71 in all) would likely tell whether that holds.",
    ),
    (
        "worse in every form",
        Study(erm=7.0, mixup=9.0, off={128: 8.5, 256: 8.7}),
        "shown: Do not mix to the end: 2 points worse than plain training [1.7, 2.3]; no switch gains: train plainly.",
        "shown: Not at all; if you mix all the same, off at about 128 (128–256 may be as good).",
        "shown: Nothing more is needed: use ERM.",
    ),
    (
        "worse to the end, a switch may gain",
        Study(erm=7.0, mixup=9.0, off={128: 6.6}, within=0.6),
        "open: Mix or not is open: to the end it is 2 points worse than plain training [1.4, 2.6], switched off between 0.3 points worse and 1.1 points better.",
        "shown: If you mix: off at about 128.",
        "open: More seeds would hardly tell whether mixing helps: over a hundred are needed.",
    ),
    (
        "a likely gain",
        Study(erm=7.0, mixup=6.2, within=0.85),
        "likely: Mix, likely: 0.8 points better than plain training [0.0, 1.7].",
        "open: To the end is the best guess; its curve does not turn, and no switch was tested.",
        "shown: Find the switch: overmix switch with this study file tries a grid of them.",
    ),
    (
        "a likely gain by a switch",
        Study(erm=7.0, mixup=8.2, off={128: 6.2}, held_out={"ERM": 7, "Mixup": 8.2, "@128": 6.2}, within=0.85),
        "likely: Mix, likely: 0.8 points better than plain training [0.0, 1.7].",
        "shown: Off at about 128.",
        "likely: 27 more seeds (43 in all) would likely tell whether that holds.",
    ),
    (
        "likely worse to the end",
        Study(erm=7.0, mixup=7.8, off={128: 7.0}, within=0.8),
        "open: Mix or not is open: to the end it is 0.8 points worse than plain training [0.0, 1.6], switched off between 0.9 points worse and 0.9 points better.",
        "likely: If you mix: off at about 128, likely.",
        "likely: 99 more seeds (115 in all) would likely tell whether mixing helps.",
    ),
    (
        "a sure gain too small to matter",
        Study(erm=7.0, mixup=6.7, within=0.1),
        "shown: No difference that matters: as tested it never gains 0.5 points; train plainly, it is cheaper.",
        "shown: Not at all.",
        "shown: Nothing more is needed: use ERM.",
    ),
    (
        "a small gain that may matter",
        Study(erm=7.0, mixup=6.6, within=0.3),
        "open: Mix or not is open: between 0.1 and 0.7 points better than plain training.",
        "open: If you mix: to the end is the best guess; its curve does not turn, and no switch was tested.",
        "open: More seeds would hardly tell whether mixing helps: over a hundred are needed.",
    ),
    (
        "hopeless",
        Study(erm=7.2, mixup=6.75, within=2.0),
        "open: Mix or not is open: between 1.5 points worse and 2.5 points better than plain training.",
        "open: If you mix: to the end is the best guess; its curve does not turn, and no switch was tested.",
        "open: More seeds would hardly tell whether mixing helps: over a hundred are needed.",
    ),
    (
        "another form than the best on held-out samples may gain",
        Study(
            erm=7.0,
            mixup=7.5,
            off={128: 7.0, 256: 6.6},
            held_out={"ERM": 7, "Mixup": 7.5, "@128": 6.9, "@256": 7.0},
            within=0.3,
        ),
        "open: Mix or not is open: between 0.3 points worse and 0.3 points better than plain training; @256 may gain 0.7 points.",
        "shown: If you mix: off at about 128 (128–256 may be as good).",
        "open: More seeds would hardly tell whether mixing helps: over a hundred are needed.",
    ),
    (
        "few test samples",
        Study(erm=7.2, mixup=6.4, off={128: 6.5}, within=1.5, share=0.2),
        "open: Mix or not is open: between 0.9 points worse and 2.5 points better than plain training.",
        "open: If you mix: to the end is the best guess; 128 to the end may be as good.",
        "likely: More test samples would likely tell whether mixing helps; more seeds alone hardly.",
    ),
    (
        "too few seeds",
        Study(erm=7.0, mixup=5.0, seeds=3),
        "open: Nothing is said about mixing: 3 seeds are too few to tell, use at least 5.",
        "open: Not known yet.",
        "shown: Run 2 more seeds (5 in all).",
    ),
    (
        "one seed",
        Study(erm=7.0, mixup=5.0, seeds=1),
        "open: Nothing is said about mixing: 1 seed is too few to tell, use at least 5.",
        "open: Not known yet.",
        "shown: Run 4 more seeds (5 in all).",
    ),
    (
        "no plain training",
        Study(mixup=9.0, off={128: 6.0}),
        "open: Mix or not is open: no condition here trains plainly (recipe: NoMixup).",
        "shown: If you mix: off at about 128.",
        "shown: Add a condition that trains plainly (recipe: NoMixup).",
    ),
    (
        "no plain training, no switch",
        Study(mixup=9.0, turns={"Mixup": 80}),
        "open: Mix or not is open: no condition here trains plainly (recipe: NoMixup).",
        "open: If you mix: not before its own curve turns, at about 80 (60–120), is the best guess; no switch was tested here.",
        "shown: Add a condition that trains plainly (recipe: NoMixup).",
    ),
    (
        "nothing mixes",
        Study(erm=7.0),
        "open: Nothing is said about mixing: no condition mixes here, or every run diverged.",
        "open: Not known yet.",
        "shown: Compare plain training with a condition that mixes, and does not diverge.",
    ),
    (
        "nothing at all",
        Study(),
        "open: Nothing is said about mixing: no condition mixes here, or every run diverged.",
        "open: Not known yet.",
        "shown: Compare plain training with a condition that mixes, and does not diverge.",
    ),
    (
        "weight decay is better still",
        Study(erm=9.0, mixup=9.5, off={128: 6.0}, other={"decay": 4.0}),
        "shown: Mix: 3 points better than plain training [2.7, 3.3].",
        "shown: Off at about 128.",
        "shown: Use decay: it ends 2 points lower still [1.7, 2.3].",
    ),
    (
        "weight decay is better than plain training",
        Study(erm=9.0, mixup=9.5, off={128: 9.0}, other={"ERM, decay": 7.0}, within=0.2),
        "shown: Do not mix to the end: 0.5 points worse than plain training [0.3, 0.7]; no switch gains: train plainly.",
        "shown: Not at all; if you mix all the same, off at about 128.",
        "shown: Use ERM, decay: it ends 2 points lower still [1.8, 2.2].",
    ),
    (
        "weight decay is as good",
        Study(erm=9.0, mixup=9.5, off={128: 6.0}, other={"decay": 6.0}),
        "shown: Mix: 3 points better than plain training [2.7, 3.3].",
        "shown: Off at about 128.",
        "shown: Nothing more is needed: use @128.",
    ),
    (
        "Mixup had too little time, plain training had not",
        Study(erm=7.0, mixup=9.0, off={128: 7.2}, falls={"Mixup": 2.0}),
        "shown: Do not mix to the end: 2 points worse than plain training [1.7, 2.3]; no switch gains: train plainly.",
        "shown: Not at all; if you mix all the same, off at about 128.",
        "shown: Train longer, 2000 epochs for example: Mixup still falls, by 2 points [1.6, 2.4] or more over the last quarter.",
    ),
    (
        "plain training over-trains, mixing gains more than that",
        Study(erm=12.0, mixup=7.0, turns={"ERM": 20}),
        "shown: Mix: 5 points better than plain training [4.7, 5.3].",
        "open: To the end is the best guess; its curve does not turn, and no switch was tested.",
        "shown: Find the switch: overmix switch with this study file tries a grid of them.",
    ),
    (
        "plain training over-trains, mixing gains no more than that",
        Study(erm=9.0, mixup=7.2, turns={"ERM": 20}, within=0.4),
        "shown: Mix: 1.8 points better than plain training [1.4, 2.2].",
        "open: To the end is the best guess; its curve does not turn, and no switch was tested.",
        "shown: Stop plain training at about epoch 20 (15–30): its own curve turns, and it ends 2 points worse than its best [1.0, 3.0]; stopped there it may do as well as mixing.",
    ),
    (
        "a lower error, worse probabilities",
        Study(erm=9.0, mixup=6.0, scores={"ERM": 0.12, "Mixup": 0.16}),
        "shown: Mix: 3 points better than plain training [2.7, 3.3].",
        "open: To the end is the best guess; its curve does not turn, and no switch was tested.",
        "shown: Find the switch: overmix switch with this study file tries a grid of them.",
        "shown: Its probabilities are worse, Brier score 0.160 against 0.120 of plain training: where probabilities matter, calibrate them.",
    ),
    (
        "better in both: one sentence is enough",
        Study(erm=9.0, mixup=6.0, scores={"ERM": 0.16, "Mixup": 0.12}),
        "shown: Mix: 3 points better than plain training [2.7, 3.3].",
        "open: To the end is the best guess; its curve does not turn, and no switch was tested.",
        "shown: Find the switch: overmix switch with this study file tries a grid of them.",
    ),
    (
        "open error, better probabilities",
        Study(erm=7.0, mixup=6.6, scores={"ERM": 0.16, "Mixup": 0.12}, within=0.9),
        "open: Mix or not is open: between 0.5 points worse and 1.3 points better than plain training.",
        "open: If you mix: to the end is the best guess; its curve does not turn, and no switch was tested.",
        "open: More seeds would hardly tell whether mixing helps: over a hundred are needed.",
        "shown: At about equal error the probabilities of Mixup are better, Brier score 0.120 against 0.160 of plain training: where probabilities matter, mix.",
    ),
    (
        "many switches, test errors choose",
        Study(
            erm=6.8, mixup=9.5, off={64: 6.6, 128: 6.0, 200: 6.6, 256: 6.7, 300: 6.6, 400: 6.8, 512: 6.9}, within=0.65
        ),
        "likely: Mix, likely: 0.8 points better than plain training [−0.1, 1.7].",
        "shown: Off at about 128 (64–400 may be as good).",
        "likely: 23 more seeds (39 in all) would likely tell whether that holds.",
    ),
    (
        "values, not shares",
        Study(erm=9.0, mixup=9.5, off={128: 6.0}, unit="value"),
        "shown: Mix: 0.03 better than plain training [0.0266, 0.0334].",
        "shown: Off at about 128.",
        "shown: Nothing more is needed: use @128.",
    ),
    (
        "a switch without mixing to the end",
        Study(erm=9.0, off={128: 6.0, 256: 6.1}),
        "shown: Mix: 3 points better than plain training [2.7, 3.3].",
        "open: Off at about 128 is the best guess; 128–256 may be as good; mixing to the end was not tested.",
        "shown: Nothing more is needed: use @128.",
    ),
    (
        "held-out samples choose what the test does not",
        Study(
            erm=9.0, mixup=9.5, off={128: 8.2, 256: 7.0}, held_out={"ERM": 9, "Mixup": 9.5, "@128": 7.0, "@256": 7.1}
        ),
        "shown: Mix: 0.8 points better than plain training [0.5, 1.1].",
        "shown: Off at about 128 (128–256 may be as good).",
        "shown: Nothing more is needed: use @128.",
    ),
]


@pytest.mark.parametrize(("study", "said"), [(row[1], row[2:]) for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_is_said(study: Study, said: tuple[str, ...]) -> None:
    advice = study.advice()
    assert tuple(f"{part.strength}: {part.sentence}" for part in advice.parts) == said
    assert advice.sentence == " ".join(part.sentence for part in advice.parts)
    assert not re.search(r"-\d", advice.sentence)


def test_every_sentence_is_as_sure_as_the_strength_beside_it() -> None:
    for part in (part for row in TABLE for part in row[1].advice().parts):
        open_ = re.search(r"\bopen\b|best guess|Not known yet|Nothing is said|would hardly", part.sentence)
        likely = re.search(r"\blikely\b", part.sentence, re.IGNORECASE)
        assert part.strength == ("likely" if likely else "open" if open_ else "shown"), part.sentence
