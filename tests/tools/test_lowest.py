from tools.lowest import declared, lowest


def test_every_bound_of_the_project_is_pinned():
    pins = lowest(declared(["study"]), without=["torch"])
    assert len(pins) == len(declared(["study"])) - 1, "a requirement without a lower bound"
    assert not any(pin.startswith("torch==") for pin in pins)
    assert any(pin.startswith("numpy==1.") for pin in pins)
