"""The columns of the fair study's tables."""

from dataclasses import replace

from kanbefair.report.columns import Column, declare, names
from kanbefair.report.shared_columns import GAIN, LABEL, MARGIN, METRIC, OUTCOME_OF, RUNS, SCORE, interval


def _each(*columns: Column) -> tuple[Column, ...]:
    """The columns with a column for each of their alternatives."""
    return tuple(replace(column, name=name) for column in columns for name in names(column.name))


CELL = (
    Column("domain", "what the dataset speaks for: symbolic, tabular classification, tabular regression, text, vision, audio"),
    Column("dataset", "name of the dataset"),
    Column("source", "what it shares rows, recordings or a formula with; a source counts once"),
    Column("family", "family of networks"),
    Column(
        "budget_kind",
        "values: values trained; flops: FLOPs executed, with the non-zero bases alone; of sensitivity alone: values_paper, "
        "flops_paper: by the paper's formulas; flops_shared: with bases shared by all outputs",
    ),
    Column("level", "1, 2 or 3; 0: below the admissible ones, of sensitivity alone"),
    Column("target", "the budget of the level; of a text that of the network behind the embedding", "that of `budget_kind`"),
    Column("size", "what the network counts of it", "that of `budget_kind`"),
    Column("trial", "number of the try: three times its point's in the Sobol sequence, and which learning rate"),
)
OF_RUN = (
    Column("metric", "accuracy, or mae where targets are numbers"),
    Column("outcome", OUTCOME_OF.meaning),
    Column("epoch_selected", "epoch that is best on the validation part", "epochs"),
    Column("key", "name of the run, made from all fields of its spec"),
    Column("data", "digest of the data that the run saw"),
)
TRIES = (
    *CELL,
    Column("chosen", "whether its cell's frozen runs are of this try"),
    Column("valid", "validation score of the selected epoch: accuracy, or root mean square error", SCORE),
    Column("valid_loss", "cross entropy there; empty where targets are numbers", "nats"),
    Column("widths", "widths of the hidden layers, joined by _", "units"),
    Column("live_parameters", "values that are trained, a text's embedding included", "values"),
    Column("epochs", "passes over the training rows", "epochs"),
    Column("batch_size", "rows of a batch", "rows"),
    Column("lr", "learning rate"),
    Column("weight_decay", "share by which values shrink in a step, in units of the learning rate; empty: 0"),
    Column("schedule", "of the learning rate: cosine; empty: constant"),
    Column("embedding", "width of a text's embedding", "values"),
    Column("activation", "activation function of an MLP"),
    Column("batch_norm", "whether hidden layers have batch normalisation"),
    Column("layer_norm", "whether hidden layers have layer normalisation"),
    Column("dropout", "share of hidden values that a training step leaves out; empty: 0"),
    Column("gain", "factor of the initial weights; empty: 1"),
    Column("grid", "number of grid intervals G of the splines", "intervals"),
    Column("order", "polynomial order K of the splines"),
    Column("shortcut", "function of a KAN's shortcut: silu, identity or zero (none)"),
    Column("start", "how a KAN's values start: pykan or power_law; empty: as the paper's"),
    *OF_RUN,
)
FINAL = (
    *CELL,
    Column("seed", "seed of initial values and batches; none of them is a try's"),
    Column("division", "number of the division into training and validation rows"),
    Column(
        "score", "test score at the selected epoch, or the constant predictor's: accuracy, or root mean square error", SCORE
    ),
    Column("loss", "cross entropy on the test part there; empty where targets are numbers", "nats"),
    Column("balanced", "balanced accuracy on the test part there; empty where targets are numbers", "percent"),
    Column("score_last", "test score of the last epoch", SCORE),
    Column("score_best", "test score of the epoch that is best on the test part", SCORE),
    Column("valid", "validation score of the selected epoch", SCORE),
    Column("late", "whether the validation score still gains more than the margin in the last tenth of the epochs"),
    Column("test_rows", "rows of the test part", "rows"),
    *OF_RUN,
)
DATASETS = (
    Column("domain", "what the dataset speaks for"),
    Column("dataset", "name of the dataset"),
    Column("source", "what it shares rows, recordings or a formula with; a source counts once"),
    Column("metric", "accuracy, or mae where targets are numbers"),
    Column("input_size", "inputs of a row; of a text the size of the vocabulary", "values"),
    Column("output_size", "classes, or numbers", "values"),
    Column("{train,valid,test}_rows", "rows of a part, of division 0", "rows"),
    Column("largest", "share of the largest class on the test part; empty where targets are numbers", "percent"),
    Column("constant", "test score of the constant predictor", SCORE),
    Column("epochs", "passes over the training rows", "epochs"),
    Column("doubled", "how often these were doubled"),
    Column("late", "share of frozen runs that still gain more than the margin in the last tenth of their epochs", "percent"),
    Column("{values,flops}_{1,2,3}", "the three budgets of each kind", "that of the kind"),
    Column("{values,flops}_{1,2,3}_{KAN,MLP}", "share of the family's first points that can meet the budget", "percent"),
    Column("grid_{values,flops}_{1,2,3}", "median of G among the KANs tried", "intervals"),
)
PAIRS = (
    Column("dataset", "name of the dataset"),
    Column("budget_kind", "values or flops"),
    Column("level", "1, 2 or 3"),
    Column("first", "family whose rows are compared"),
    Column("second", "with those of this one"),
    Column("row_variance", "variance of their mean difference of accuracy over the test rows", "square of percent"),
)
BETWEEN = (
    METRIC,
    Column("budget_kind", "values or flops"),
    Column("first", "family that is compared"),
    Column("second", "with this one"),
    Column(
        "estimate", "mean over the levels of the first's result less the second's, positive where the first is better", GAIN
    ),
    *interval("estimate", GAIN),
    Column("{low,high}_90", "ends of the 90 % interval, by which two are equivalent", GAIN),
)
HAPPENED = (
    Column("runs_{first,second}", "frozen runs of the family", "runs"),
    Column(
        "no_result_{first,second}",
        "of these, those that failed or stayed at chance",
        "runs",
    ),
    Column(
        "late", "share of the frozen runs that still gain more than the margin in the last tenth of their epochs", "percent"
    ),
)
DOMAINS = _each(
    Column("domain", "symbolic, tabular classification, tabular regression, text, if so many of its sources have run"),
    *BETWEEN,
    Column("p", "of a t test over sources that the mean difference is 0"),
    Column("holm_p", "the same, corrected by Holm for all rows of this pair"),
    Column("holm_{low,high}", "ends of the 95 % interval with that correction, by which one is ahead", GAIN),
    MARGIN,
    LABEL,
    Column("tests", "rows of this pair that are corrected for", "tests"),
    Column("sources", "sources that the intervals are over", "sources"),
    Column("planned", "sources that the domain has when all have run", "sources"),
    Column("datasets", "datasets of these sources", "datasets"),
    Column(
        "probability_{first,equivalent,second}",
        "of the Bayesian signed-rank test: that the first is better by more than the margin, neither, or the second",
    ),
    Column("middle", "interquartile mean of the sources' differences", GAIN),
    Column("middle_{low,high}", "ends of its 95 % interval, by a hierarchical bootstrap", GAIN),
    Column("skew_{low,high}", "ends of the 95 % interval of estimate, corrected for skewness", GAIN),
    Column("improvement", "probability that a run of the first is better than one of the second in the same cell"),
    *HAPPENED,
)
BY_DATASET = _each(
    Column("domain", "what the dataset speaks for"),
    Column("dataset", "name of the dataset"),
    Column("source", "what it shares rows, recordings or a formula with; a source counts once"),
    *BETWEEN,
    Column("freedom", "degrees of freedom of the intervals (Satterthwaite)"),
    Column(
        "variance_{seeds,divisions,rows}",
        "what each adds to the variance of estimate; rows: empty if not known",
        "square of that",
    ),
    MARGIN,
    LABEL,
    Column("levels", "levels that are compared", "levels"),
    Column("score_{first,second}", "mean test score of the family", SCORE),
    Column("test_rows", "rows of the test part", "rows"),
    Column("balanced_{first,second}", "balanced accuracy, where a class holds over 80 % of the test rows", "percent"),
    Column("loss_{first,second}", "cross entropy on the test part there", "nats"),
    *HAPPENED,
)

SIMULATION = (
    Column("effect", "true mean difference over sources of two simulated families", "margins"),
    Column("domain", "domain; any: of whole studies, which count where one of their tests does"),
    Column("sources", "sources of the domain"),
    Column("margin", "margin of the domain", "points of accuracy, or log10 of a ratio of errors"),
    Column("covered", "share of 95 % intervals that hold the true mean"),
    Column("surely", "share of tests with Holm's p below 5 %"),
    Column("winner", "share of labels that name a family"),
    Column("second", "share of labels that name the second, which is behind where there is an effect"),
    Column("{equivalent,undecided}", "share of these labels"),
    Column("shape", "of the differences over sources: normal, heavy-tailed (Student's t of 3) or skewed (exponential)"),
    Column("between", "factor of their spread"),
    Column("studies", "studies simulated"),
)


KIND = Column("budget_kind", "of the study, beside which the row stands: values or flops")
DIFFERENCE = "points of accuracy, or log10 of a ratio of errors, by `metric`"
SENSITIVITY = (
    Column(
        "variation", "what is chosen otherwise: epoch, tries, flops, parameters, lowest, epochs, optimizer, start, range, rows"
    ),
    Column("value", "what is chosen"),
)
LABELS = (
    *SENSITIVITY,
    CELL[0],
    KIND,
    Column("metric", "accuracy, or mae where targets are numbers"),
    Column("estimate", "KAN over MLP, mean over sources", DIFFERENCE),
    Column("low", "end of its 95 % interval over sources, with Holm's correction", DIFFERENCE),
    Column("high", "the other end", DIFFERENCE),
    Column("margin", "the smallest difference that matters", DIFFERENCE),
    Column("sources", "sources behind it"),
    Column("datasets", "datasets behind it"),
    Column("label", "KAN, MLP, equivalent or undecided; or not run yet; or too few sources"),
    Column("main_estimate", "the estimate of the study as decided, on the same datasets", DIFFERENCE),
    Column("main_label", "and its label"),
)
CLAIMS = (
    Column("claim", "number of the paper's claim (docs/protocol.md: Claims), or the arXiv number of another paper"),
    Column("domain", "domain that is spoken of; continual: streams of tasks"),
    Column("dataset", "dataset that is spoken of; empty if it is the domain"),
    Column("budget_kind", "what is equal: values or flops; empty where networks are those of the streams"),
    Column("comparison", "what is compared, the second taken from the first"),
    Column("published", "the paper's effect in the domain; empty if it has no such figure", "that of the column `unit`"),
    Column("effect", "mean effect", "that of the column `unit`"),
    Column("low", "end of the 95 % interval of effect that the label takes", "that of the column `unit`"),
    Column("high", "the other end", "that of the column `unit`"),
    Column("unit", "unit of the effect and its interval"),
    Column("margin", "the smallest effect that matters", "that of the column `unit`"),
    Column("sources", "sources behind it"),
    Column("seeds", "seeds of each run, the fewest of a family"),
    Column(
        "label",
        "who is ahead (of claim 3: where more is gained), equivalent, undecided; of claim 2 (not) inferior; or not run yet",
    ),
    Column("rule", "by which the label is given"),
    Column("reason", "why nothing is decided, where that is not the interval"),
)

declare("extended/fairness_simulation", "an effect, a domain, a shape and a spread (`simulate`)", SIMULATION)
declare("extended/fairness_tries", "a try", TRIES)
declare("extended/fairness_final", "a frozen run", FINAL)
declare("extended/fairness_datasets", "a dataset", DATASETS)
declare("extended/fairness_pairs", "a dataset, a kind of budget, a level and two families", PAIRS)
declare("extended/fairness_sensitivity_tries", "a try at budgets of sensitivity alone", TRIES)
declare("extended/fairness_sensitivity", "a frozen run under another choice", SENSITIVITY, FINAL)
declare("extended/fairness_sensitivity_labels", "a choice, a domain and a kind of budget", LABELS)
declare("extended/claims", "a claim, a domain or dataset, and a kind of budget", CLAIMS)
declare("extended/fairness_domains", "a domain, a kind of budget and two families", DOMAINS)
declare("extended/fairness_by_dataset", "a dataset, a kind of budget and two families", BY_DATASET)
declare("fairness_small_{tries,frozen}", "a run", RUNS)
declare("fairness_small", "a dataset, a kind of budget and two families, in the small study", BY_DATASET)
