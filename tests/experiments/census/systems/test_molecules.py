"""Molecules: what the graphs, the pseudo-labels and the baselines promise."""

from dataclasses import replace

import pytest
import torch

pytest.importorskip("rdkit")

from overmix.experiments.census.loop import train
from overmix.experiments.census.systems.molecules import ATOMS, RARE, ROWS, Molecules, area_score, molecules
from overmix.experiments.census.task import Samples, evaluated
from overmix.mix import Streams
from overmix.switch import never

STREAMS = Streams(replica_seed=3)
TASK = Molecules()


@pytest.fixture(scope="module")
def data():
    return TASK.data(STREAMS)


def model(task=TASK):
    torch.manual_seed(0)
    return task.model()


def test_molecules_are_of_many_sizes_and_large_areas_are_rare():
    graphs, areas, _ = molecules()
    atoms = {graph.num_nodes for graph in graphs}
    assert atoms == set(ATOMS)
    assert 0.05 < float((areas >= RARE).float().mean()) < 0.15
    skew = float(((areas - areas.mean()) / areas.std()).pow(3).mean())
    assert skew > 1


def test_a_quarter_has_labels_and_no_molecule_is_in_two_parts(data):
    parts = [set(part.x.tolist()) for part in (data.train, data.val, data.test)]
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert int((~data.train.y.isnan()).sum()) == TASK.labelled


def test_the_network_does_not_see_the_order_of_atoms_or_of_molecules(data):
    net = model().eval()
    x = data.test.x[:6]
    torch.testing.assert_close(net(x.flip(0)).flip(0), net(x))
    graph = molecules()[0][int(x[0])].clone()
    order = torch.randperm(graph.num_nodes, generator=torch.Generator().manual_seed(1))
    before = net(x[:1])
    original, molecules()[0][int(x[0])] = molecules()[0][int(x[0])], graph
    try:
        place = torch.argsort(order)
        graph.x, graph.edge_index = graph.x[order], place[graph.edge_index]
        torch.testing.assert_close(net(x[:1]), before)
    finally:
        molecules()[0][int(x[0])] = original


def test_predictions_become_labels_after_the_start_only(data):
    net, task = model(), replace(TASK, start=2 / TASK.epochs / 8)  # two of eight steps an epoch
    batch = data.train.at(torch.arange(150, 250))
    sizes = [len(task.prepare(net, batch)) for _ in range(3)]
    assert sizes[:2] == [50, 50]
    assert 50 < sizes[2] <= 75  # at most half of the unlabelled are certain enough
    prepared = task.prepare(net, batch)
    assert torch.equal(prepared.y[:50], batch.y[:50])
    assert not prepared.y.isnan().any()
    assert not prepared.y.requires_grad


def test_pseudo_labels_are_those_of_the_step(data):
    batch = data.train.at(torch.arange(150, 250))
    one, other = model(), model()
    for net in (one, other):
        net.steps += 1000
    torch.rand(3)  # what the program draws elsewhere is of no matter
    assert torch.equal(TASK.prepare(one, batch).x, TASK.prepare(other, batch).x)


def test_the_error_of_rare_labels_stands_beside():
    y = torch.tensor([0.0, 2.0])  # 50 and 120 square ångström
    score = area_score(torch.tensor([0.0, 1.0]), y)
    assert score.value == pytest.approx(17.5)
    assert score.further["error of rare labels"] == pytest.approx(35.0)


def test_the_ridge_beats_the_median_and_both_are_of_the_labelled_alone(data):
    ridge, median = (TASK.baseline(name, data).value for name in ("ridge on fingerprints", "median of the labels"))
    assert ridge < 0.6 * median


@pytest.mark.slow
def test_labels_help_and_shuffled_labels_do_not(data):
    task = replace(TASK, epochs=12, start=1.0)
    known = ~data.train.y.isnan()
    y = data.train.y.clone()
    y[known] = y[known][torch.randperm(int(known.sum()), generator=torch.Generator().manual_seed(0))]
    median = task.baseline("median of the labels", data)

    def score(train_samples):
        net, _ = train(task, replace(data, train=train_samples), ROWS[0].recipe, never(), 0)
        return evaluated(lambda: task.score(net, data.test), net)

    right, shuffled = score(data.train), score(Samples(data.train.x, y))
    rare = "error of rare labels"
    assert right.value < 0.7 * median.value
    assert right.further[rare] < 0.6 * median.further[rare]
    assert shuffled.value > 0.9 * median.value
