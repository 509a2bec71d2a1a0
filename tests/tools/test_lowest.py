from tools.lowest import declared, lowest


def test_every_bound_of_the_project_is_pinned():
    pins = lowest(declared(["study"]), without=["torch"])
    assert len(pins) == len(declared(["study"])) - 1, "a requirement without a lower bound"
    assert not any(pin.startswith("torch==") for pin in pins)
    assert any(pin.startswith("numpy==1.") for pin in pins)


def test_an_extra_brings_the_extras_that_it_names():
    assert set(declared(["cli"])) < set(declared(["study"]))
    assert {"typer==0.19", "rich==13"} <= set(lowest(declared(["study"])))


def test_extras_that_name_each_other_are_read_once(tmp_path):
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text(
        '[project]\nname = "it"\ndependencies = ["core>=1"]\n'
        '[project.optional-dependencies]\na = ["it[b, c]", "of-a>=2"]\nb = ["it[a]", "of-b>=3"]\nc = ["of-c>=4"]\n'
    )
    assert sorted(declared(["a"], pyproject)) == ["core>=1", "of-a>=2", "of-b>=3", "of-c>=4"]
