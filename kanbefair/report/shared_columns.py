"""Groups of columns that the tables of several studies have."""

from collections.abc import Iterable

from kanbefair.report.columns import Column
from kanbefair.training.outcome import MEANINGS


def named(group: Iterable[Column], *names: str) -> tuple[Column, ...]:
    """The columns of a group that have these names, in their order."""
    by_name = {column.name: column for column in group}
    return tuple(by_name[name] for name in names)


SCORE = "percent, or the target's, by `metric`"
GAIN = "points of accuracy, or log10 of a ratio of errors, by `metric`"

DATASET = Column("dataset", "name of the dataset")
DOMAIN = Column("domain", "domain of the dataset: symbolic, tabular, vision, text or audio")
METRIC = Column("metric", "how results are measured: accuracy, or mae, the mean absolute error")
MODEL = Column("model", "family of networks: KAN, MLP, BSpline_MLP, …")
SEED = Column("seed", "seed of initial values and batches; under published also of the points of a symbolic function")
LR = Column("lr", "learning rate")
KEY = Column("key", "name of the run, made from all fields of its spec")
OUTCOME_OF = Column("outcome", f"done, or {'; '.join(f'{name} ({words})' for name, words in MEANINGS.items())}")
RECORD = (
    Column("record", "name of the run's record: of its key, data, own code and the results version"),
    Column("data", "digest of the data that the run saw"),
    Column("code", "digest of a user's own network, dataset or strategy in the run", optional=True),
    OUTCOME_OF,
    Column("message", "why a run failed", optional=True),
)
"""Which record a run has, and what happened to it."""
LIVE = Column("live_parameters", "values that are trained, a text's embedding included", "values")

SPEC = (
    DATASET,
    MODEL,
    Column("widths", "widths of the hidden layers, joined by _; empty if there are none", "units"),
    Column("protocol", "fair (chosen on a validation part) or published (as the authors trained)"),
    SEED,
    Column("epochs", "passes over the training rows, in a stream of tasks over those of each task", "epochs"),
    Column("batch_size", "rows of a batch", "rows"),
    LR,
    Column("optimizer", "adam, lbfgs or sgd"),
    Column("loss", "loss that was trained on, where it is not the usual one of the metric", optional=True),
    Column("weight_decay", "share by which values shrink in a step, in units of the learning rate", optional=True),
    Column("schedule", "of the learning rate: cosine; empty where it is constant", optional=True),
    Column("division", "number of the division into training and validation rows; empty: 0", optional=True),
    Column("rows", "training rows that were used; empty: all", "rows", optional=True),
    Column("blind", "whether the test part was left unread", optional=True),
    Column("selection", "figure by which epochs are best; empty: the metric", optional=True),
    Column("activation", "activation function of an MLP", optional=True),
    Column("batch_norm", "whether hidden layers have batch normalisation", optional=True),
    Column("layer_norm", "whether hidden layers have layer normalisation", optional=True),
    Column("dropout", "share of hidden values that a training step leaves out", optional=True),
    Column("gain", "factor of the initial weights; empty: 1", optional=True),
    Column("grid", "number of grid intervals G of the splines", "intervals", optional=True),
    Column("order", "polynomial order K of the splines", optional=True),
    Column("shortcut", "function of a KAN's shortcut: silu, identity or zero (none)", optional=True),
    Column("grid_range", "the two ends of the grid, joined by _", optional=True),
    Column("start", "how a KAN's values start: pykan or power_law; empty: as the paper's", optional=True),
    Column("without", "parts that are left out, joined by _: bias, and of a KAN scale", optional=True),
    Column("embedding", "width of a text's embedding; empty: that of the first hidden layer", "values", optional=True),
    Column("options", "a family's own hyper-parameters: name and value, with | between", optional=True),
    Column("kept", "what the record keeps beside figures: right_rows, which rows of the test part are right", optional=True),
    KEY,
)
"""The fields of a run (`specs.RunSpec`)."""

OUTCOME = (
    Column(
        "diverged", "first epoch whose loss was not finite or after which it gave no answers; empty if there was none", "epochs"
    ),
    Column("epoch_selected", "epoch that is best on the validation part; empty without one", "epochs"),
    Column("epoch_best", "epoch that is best on the test part", "epochs", optional=True),
    Column(
        "batch_loss_{last,selected,best}",
        "mean loss of the batches of the last, selected or best epoch",
        "nats, or the square of the target's unit",
    ),
    Column(
        "{train,valid,test}_metric_{last,selected,best}",
        "metric on a part after the last, selected or best epoch",
        SCORE,
    ),
    Column("{train,valid,test}_loss_{last,selected,best}", "cross entropy on a part", "nats", optional=True),
    Column("{train,valid,test}_rmse_{last,selected,best}", "root mean square error on a part", "the target's", optional=True),
)
"""How the training of a run went (`training.fit`)."""

COUNTS = (
    Column("parameters", "parameters by the paper's formula, faults included", "values"),
    LIVE,
    Column("flops", "FLOPs by the paper's formula, faults included, for one row of input", "FLOPs"),
    Column("flops_shared", "FLOPs at the paper's prices, the bases of an input computed once for all outputs", "FLOPs"),
    Column("flops_local", "FLOPs with only the non-zero bases, in closed form", "FLOPs"),
)
"""See `models.counting`."""

TASK = (
    DOMAIN,
    METRIC,
    Column("input_size", "inputs of a row; of a text the size of the vocabulary", "values"),
    Column("output_size", "outputs of a row: classes or numbers", "values"),
    Column("train_rows", "training rows of the dataset", "rows"),
)

VERSIONS = (
    Column("kanbefair", "version of this package"),
    Column("torch", "version of PyTorch"),
    Column("python", "version of Python"),
    Column("commit", "last commit that changed what decides a result; + if the files differ from it"),
)

PROVENANCE = (Column("device", "device that trained the run: cpu, or the name of a GPU"), *VERSIONS)

RUNS = (*SPEC, *RECORD, *OUTCOME, *TASK, *COUNTS, *PROVENANCE)
"""A table of runs that `training.fit` has trained."""

MACHINE = (
    Column("machine", "processor or GPU on which the times were measured"),
    Column("threads", "threads of the measuring process"),
    *VERSIONS,
)
"""Where a time was measured."""

NARROW = Column("narrow_{low,high}", "ends of the 90 % interval, by which two are equivalent", "that of the effect")
MARGIN = Column("margin", "smallest difference that matters (`decision.margin`)", "that of the effect")
LABEL = Column("label", "which is ahead, equivalent, or undecided (`decision.label`)")
INTERVAL_OVER = Column("interval_over", "what the 95 % interval is over: dataset, source (what shares its rows) or seed")
DATASETS = Column("datasets", "number of datasets", "datasets")
SEEDS = Column("seeds", "number of seeds", "seeds")


def interval(of: str, unit: str, low: str = "low", high: str = "high") -> tuple[Column, Column]:
    """The two ends of the 95 % interval of what `of` names."""
    return (
        Column(low, f"lower end of the 95 % interval of {of}", unit),
        Column(high, f"upper end of the 95 % interval of {of}", unit),
    )


VERDICT = (
    DOMAIN,
    METRIC,
    Column(
        "budget",
        "what both models have equally much of: parameters, live_parameters, one of the flops, stack_seconds or alone_seconds",
    ),
    Column("gain", "mean gain of KAN over MLP across the common budgets, positive where KAN is better", GAIN),
    *interval("gain", GAIN),
    NARROW,
    MARGIN,
    LABEL,
    INTERVAL_OVER,
    Column("units", "number of datasets or seeds that the interval is over"),
    Column("top", "mean gain at the highest common budget of each dataset", GAIN),
    *interval("top", GAIN, "top_low", "top_high"),
    Column("names", "names of the datasets, with spaces between"),
    Column("gains", "gain on each of them, in this order, with spaces between", GAIN),
    DATASETS,
    SEEDS,
    Column("tries_{KAN,MLP}", "configurations that the model was tried with, per dataset and seed", "tries"),
    Column("within_{KAN,MLP}", "of these, those that cost no more than the highest common budget of their dataset", "tries"),
    Column("budget_{low,high}", "lowest and highest of the common budgets of all datasets", "that of `budget`"),
    Column("diverged_{KAN,MLP}", "runs of the model that diverged; empty where the runs do not say it", "runs"),
    Column("at_chance_{KAN,MLP}", "runs of the model that are at chance; empty where the runs do not say it", "runs"),
    Column("failed_{KAN,MLP}", "runs of the model that failed; empty where the runs do not say it", "runs"),
    Column("all_at_chance_{KAN,MLP}", "datasets on which all runs of the model that are compared are at chance"),
    Column("no_score_{KAN,MLP}", "datasets on which no run of the model has a score, so that nothing is compared"),
)
"""See `statistics.verdict`."""

REMARK = Column("remark", "what happened to the runs that are compared, in words; empty if nothing that matters")

CLAIM = (
    Column("claim", "number of the paper's claim (docs/protocol.md: Claims)"),
    Column("comparison", "what is compared, the second taken from the first"),
    Column("on", "datasets or streams that are compared on"),
    Column("unit", "unit of the effect and its intervals"),
    Column("effect", "mean effect", "that of the column `unit`"),
    *interval("effect", "that of the column `unit`"),
    NARROW,
    MARGIN,
    INTERVAL_OVER,
    DATASETS,
    SEEDS,
    Column("verdict", "what the label says of the claim, in words: also equivalent or undecided"),
    REMARK,
)


def over_seeds(optional: bool = False) -> tuple[Column, ...]:
    """The ends of a second interval of an effect, over seeds."""
    meaning = "end of the 95 % interval of effect over seeds, which speaks of these datasets only"
    return (Column("seed_{low,high}", meaning, "that of the column `unit`", optional),)
