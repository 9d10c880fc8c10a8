"""The columns of the tables of the released rows and of our re-runs of them."""

from kanbefair.report.columns import Column, declare
from kanbefair.report.shared_columns import (
    COUNTS,
    DATASET,
    DOMAIN,
    METRIC,
    MODEL,
    OUTCOME,
    PROVENANCE,
    RECORD,
    RUNS,
    SCORE,
    SPEC,
    TASK,
    VERDICT,
    named,
)

PAIR = (DATASET, DOMAIN, METRIC, MODEL)
DIFFERENCE = (
    Column("points", "second value minus first, of accuracies", "points"),
    Column("ratio", "second value over first, of errors"),
)
RELEASED = Column("released", "test metric of the released row", SCORE)
OURS = Column("ours", "test metric of our run at the last epoch", SCORE)
SETTINGS = ("widths", "activation", "grid", "order", "shortcut", "grid_range", "lr")
AGREEMENT = (
    MODEL,
    Column("rows", "pairs of values that are compared", "pairs"),
    Column(
        "lost", "pairs of which a value is missing, as its run diverged or failed; they are not near", "pairs", optional=True
    ),
    Column("exact", "share of accuracies that are equal in every digit", "percent", optional=True),
    Column("within {0.15,0.5} points", "share of accuracies that differ by at most so much", "percent", optional=True),
    Column("within {0.1,0.2,5} %", "share of errors whose ratio is at most so far from 1", "percent", optional=True),
    Column("within 1.1 times", "share of errors whose ratio is at most 1.1 either way", "percent", optional=True),
)
"""See `findings.agreement`; which shares there are depends on the metrics."""

declare(
    "published_effort",
    "a dataset and model of the released rows",
    DOMAIN,
    DATASET,
    MODEL,
    Column("rows", "released rows", "rows"),
    Column("tries", "distinct settings, the seed aside", "tries"),
    Column("seeds", "number of seeds", "seeds"),
    Column("epochs", "most passes over the training rows", "epochs"),
    Column("most_units", "most hidden units of a network", "units"),
)
declare("published_runs", "a run", RUNS)
declare(
    "published_comparison",
    "a released row that was run again",
    PAIR,
    named(SPEC, *SETTINGS, "seed", "key"),
    Column("drawn", "whether the row was drawn at random, or taken as a row of an MLP"),
    RELEASED,
    OURS,
    DIFFERENCE,
)
declare(
    "published_duplicates",
    "a pair of released rows that should agree",
    PAIR,
    Column("{first,second}", "test metric of the one row and the other", SCORE),
    DIFFERENCE,
)
declare("published_agreement{,_drawn,_duplicates}", "a domain and model", DOMAIN, AGREEMENT)
declare(
    "published_agreement_start",
    "a domain and kind of fit of a KAN's initial splines",
    Column("domain", "domain, and whether the fit of the initial splines is exact or cut off"),
    AGREEMENT,
)
declare(
    "published_reruns",
    "a domain and model of `extended/reruns`",
    DOMAIN,
    MODEL,
    Column("datasets", "number of datasets", "datasets"),
    Column("runs", "number of runs", "runs"),
    Column("diverged", "runs that diverged", "runs"),
    Column("core_hours", "time of one core", "hours"),
    Column(
        "best_minus_last",
        "by how much the epoch that is best on the test part is better there than the last, mean",
        "points, or the target's unit",
    ),
)
declare(
    "published_rounding",
    "an activation and dataset of `extended/rounding`",
    named(SPEC, "activation", "dataset"),
    Column("rows", "released rows of an MLP", "rows"),
    Column("ours = released", "rows in which both are the same to the digit", "rows"),
    Column("other = released", "rows in which both are the same to the digit", "rows"),
    Column("ours = other", "rows in which both are the same to the digit", "rows"),
)
declare(
    "published_reruns_verdict",
    "a domain, kind of budget and number of tries (`statistics.verdict`)",
    VERDICT,
    Column("tries", "whether KAN has all its tries, or as many as MLP: all or equal"),
)

declare(
    "extended/reruns",
    "a run (`reruns.csv.gz`)",
    named(TASK, "domain", "metric"),
    named(SPEC, "dataset", "model", *SETTINGS, "batch_size", "epochs", "seed"),
    Column("{train,test}_metric_last", "metric on a part after the last epoch", SCORE),
    Column("test_metric_best", "metric on the test part after the epoch that is best on it", SCORE),
    named(OUTCOME, "epoch_best", "diverged"),
    named(COUNTS, "parameters", "flops", "flops_shared", "flops_local"),
    named(PROVENANCE, "commit", "torch", "device"),
    Column("run_seconds", "share of the run in the time of its stack, evaluations included", "seconds"),
    named(RECORD, "data"),
    Column("results_version", "version of what runs return, with which the row was made or to which it was carried over"),
)
declare("extended/{agreement,duplicates}", "a domain and model", DOMAIN, AGREEMENT)
declare(
    "extended/agreement_by_dataset",
    "a dataset and model",
    Column("domain", "name of the dataset"),
    AGREEMENT,
)
declare(
    "extended/differences",
    "a pair of test metrics (`differences.csv.gz`)",
    DOMAIN,
    MODEL,
    Column("pair", "what is compared: ours / released, or released twice"),
    DIFFERENCE,
)
declare(
    "extended/exceptions",
    "a released row of an MLP that does not come back",
    PAIR,
    named(SPEC, "widths", "activation", "lr", "seed"),
    RELEASED,
    OURS,
    DIFFERENCE,
)
declare(
    "extended/rounding",
    "a released row of an MLP, trained again in another order of float32 operations",
    named(SPEC, "dataset", "widths", "activation", "lr"),
    RELEASED,
    OURS,
    Column("other", "test metric of that run in the other order", "percent"),
)
