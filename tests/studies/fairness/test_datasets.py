import pandas

from kanbefair.studies.fairness.datasets import names_of, whole


def runs(names, families=("KAN", "MLP"), kind="values", domain="text"):
    rows = [{"domain": domain, "budget_kind": kind, "dataset": name, "family": family} for name in names for family in families]
    return pandas.DataFrame(rows)


def test_a_domain_speaks_when_every_dataset_has_runs_of_every_family():
    names = names_of("text")
    every = runs(names)
    assert whole(every, ("KAN", "MLP")).equals(every)
    assert whole(runs(names[:-1]), ("KAN", "MLP")).empty
    assert whole(every, ("KAN", "MLP", "BSpline_MLP")).empty
    part = pandas.concat([runs(names[1:]), runs(names[:1], ["KAN"])])
    assert whole(part, ("KAN", "MLP")).empty
    both = pandas.concat([every, runs(names[:3], kind="flops"), runs(["Yacht"], domain="tabular regression")])
    assert whole(both, ("KAN", "MLP")).equals(every)
