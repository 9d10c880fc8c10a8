"""From runs to answers: envelopes, differences at matched budgets, intervals, verdicts (labels: `decision`).

A *try* is one configuration. Under the `fair` protocol a model is chosen by its best validation metric among the tries
that fit a budget, seed by seed, and scored by that run's test metric at that epoch. Under `published`, which has no
validation part, choice and score are both the last epoch's test metric, as the paper's figures have it.

A *gain* is KAN over MLP and positive where KAN is better: percentage points of accuracy, or log10 of the ratio of errors.
"""

import math
from collections.abc import Iterable, Sequence

import numpy
import pandas
from scipy.stats import ttest_1samp

from kanbefair.errors import InputError
from kanbefair.report import decision, outcomes
from kanbefair.training.outcome import AT_CHANCE, DIVERGED, FAILED

PAIR = ("KAN", "MLP")
"""A gain is that of the first over the second."""
BUDGETS = ("parameters", "flops")
TEXT_BUDGETS = ("live_parameters", "flops")
"""Of texts: their embedding is trained, too, and holds most values of a network. It costs no FLOPs, as it is looked up."""
BUDGET_POINTS = 25
CONFIDENCE = 0.95
NARROW = 0.90
"""Of the interval that says whether two models are equivalent."""
LOSS_WEIGHT = 1e-4
"""Points of accuracy, at most, by which the loss tells equal accuracies apart."""
DATASETS_TO_GENERALISE = 5
"""From so many datasets on, the interval is over datasets (seeds averaged); below, over seeds (datasets averaged)."""


def budgets_of(domain: str) -> tuple[str, ...]:
    """The budgets, columns of a table of runs, at which a domain's networks are compared."""
    return TEXT_BUDGETS if domain == "text" else BUDGETS


def scored(runs: pandas.DataFrame) -> pandas.DataFrame:
    """The runs with two more columns: `choice`, which tries are chosen by, and `score`, which is reported.

    Of both, higher is better for accuracy and lower for errors. Runs have neither that failed or diverged too early. Small
    validation parts give many equal accuracies: the lower validation loss is then the better choice, for which it takes part in
    `choice` with less than any step of accuracy.
    """
    if not (runs["protocol"] == "fair").all():
        return runs.assign(choice=runs["test_metric_last"], score=runs["test_metric_last"])
    choice = runs["valid_metric_selected"]
    if "valid_loss_selected" in runs:
        loss = runs["valid_loss_selected"].where(runs["metric"] == "accuracy")
        choice = choice - (LOSS_WEIGHT * loss / (1 + loss)).fillna(0)
    return runs.assign(choice=choice, score=runs["test_metric_selected"])


def envelope(runs: pandas.DataFrame, budget: str) -> pandas.DataFrame:
    """The best choice within every budget, per dataset, model and seed.

    Returns rows (dataset, model, seed, metric, budget, score): from that budget on the score holds, up to the next row.
    `at_chance` is 1 where the run is, 0 where it is not, NaN where it is not said; `train` is the metric on its training part
    at the epoch that is reported, NaN where it is not known.
    """
    group = ["dataset", "model", "seed", "metric"]
    ranked = scored(runs).dropna(subset="choice").sort_values([*group, budget, "key"], ignore_index=True)
    ranked["choice"] = ranked["choice"].astype(float)
    value = ranked["choice"].where(ranked["metric"] == "accuracy", -ranked["choice"])
    keys = [ranked[name] for name in group]
    before = value.groupby(keys).cummax().groupby(keys).shift(fill_value=-numpy.inf)
    best = ranked[value > before].rename(columns={budget: "budget"})
    best["at_chance"] = (best["outcome"] == AT_CHANCE).astype(float) if "outcome" in best else numpy.nan
    epoch = "selected" if (runs["protocol"] == "fair").all() else "last"
    best["train"] = best.get(f"train_metric_{epoch}", numpy.nan)
    return best[["budget", "score", "at_chance", "train", "key", *group]].reset_index(drop=True)


def at(steps: pandas.DataFrame, budgets: numpy.ndarray, column: str = "score") -> numpy.ndarray:
    """The score of one envelope (one dataset, model and seed) at each of `budgets`, or another column; NaN below its first."""
    if steps.empty:
        return numpy.full(len(budgets), numpy.nan)
    where = numpy.searchsorted(steps["budget"].to_numpy(), budgets, side="right") - 1
    return numpy.where(where < 0, numpy.nan, steps[column].to_numpy()[where])


def common_budgets(steps: pandas.DataFrame, models: tuple[str, str] = PAIR) -> numpy.ndarray:
    """Budgets, evenly spaced in the logarithm, from where both models have a first network to the smaller of their
    largest; `steps` are the envelopes of one dataset. NaN where one of them has no network."""
    own = [steps.loc[steps["model"] == model, "budget"] for model in models]
    if any(budget.empty for budget in own):
        return numpy.full(BUDGET_POINTS, numpy.nan)
    low, high = max(budget.min() for budget in own), min(budget.max() for budget in own)
    high = max(low, high)
    # one size is met exactly: logarithms round
    return numpy.clip(numpy.geomspace(low, high, BUDGET_POINTS), low, high)


def gains(runs: pandas.DataFrame, budget: str, models: tuple[str, str] = PAIR) -> pandas.DataFrame:
    """Mean gain of the first model over the second across the common budgets, per dataset and seed.

    Returns rows (dataset, seed, metric, low, high, gain, top), `low` and `high` being the ends of the common budgets and `top`
    the gain at the highest of them, and for each model `at_chance_<model>`, the share of these budgets at which its chosen run
    is at chance. It is NaN where none has a score, as the gain is where one of the models has none.
    """
    all_steps = envelope(runs, budget)
    rows = []
    for dataset, own in runs.groupby("dataset"):
        # the range is that of all runs, so that it does not depend on which try a seed happens to choose
        budgets = common_budgets(own.rename(columns={budget: "budget"})[["model", "budget"]], models)
        steps = all_steps[all_steps["dataset"] == dataset]
        for seed, metric in sorted(set(zip(own["seed"], own["metric"], strict=True))):
            group = steps[(steps["seed"] == seed) & (steps["metric"] == metric)]
            lines = [group[group["model"] == model] for model in models]
            first, second = (at(line, budgets) for line in lines)
            gain = first - second if metric == "accuracy" else numpy.log10(second / first)
            chance = (pandas.Series(at(line, budgets, "at_chance")).mean() for line in lines)
            rows.append((dataset, seed, metric, budgets[0], budgets[-1], pandas.Series(gain).mean(), gain[-1], *chance))
    chances = [f"at_chance_{model}" for model in models]
    return pandas.DataFrame(rows, columns=["dataset", "seed", "metric", "low", "high", "gain", "top", *chances])


def interval(values: numpy.ndarray, confidence: float = CONFIDENCE) -> tuple[float, float, float]:
    """Mean of independent values and its confidence interval (Student's t); the ends are infinite for one value. Of none
    there is no mean (NaN). Equal values have an interval without width; it decides nothing (`decision.label`)."""
    values = numpy.asarray(values, dtype=float)
    if len(values) == 0:
        return numpy.nan, -numpy.inf, numpy.inf
    mean = float(values.mean())
    if len(values) < 2:
        return mean, -numpy.inf, numpy.inf
    if numpy.ptp(values) == 0:
        return mean, mean, mean
    ends = ttest_1samp(values, 0).confidence_interval(confidence)
    return mean, float(ends.low), float(ends.high)


def verdict(
    runs: pandas.DataFrame,
    domain: str,
    unit: str | None = None,
    budgets: Sequence[str] | None = None,
    test_rows: float = math.inf,
) -> pandas.DataFrame:
    """One row per budget: the gain of KAN over MLP with its 95 % interval, and its label (`decision.label`): KAN, MLP,
    equivalent or undecided.

    Args:
        runs: of one domain.
        domain: its name.
        unit: what the interval is over, "dataset" or "seed"; None: see `DATASETS_TO_GENERALISE`. A label over seeds is one on
            these datasets, not on the domain.
        budgets: columns of `runs`; None: those of the domain (`budgets_of`).
        test_rows: the fewest test rows of the datasets, infinite if not known: one row is the least margin.

    `names` are the datasets, with spaces between, and `gains` their mean gains in this order. `top` is the gain at the highest
    common budget of each dataset, with its own interval. For each model there are its tries, those of them `within` the common
    budgets or below, its runs that diverged, are at chance and failed, the datasets on which all that are compared are at
    chance, and those on which none has a score. Raises `InputError` if one of the models has no runs.
    """
    for model in PAIR:
        if not (runs["model"] == model).any():
            raise InputError(
                f"the runs of the domain '{domain}' have none of {model}; a verdict compares KAN with MLP: train both"
            )
    rows = []
    for budget in budgets or budgets_of(domain):
        table = gains(runs, budget)
        metric = table["metric"].iloc[0]
        over = unit or ("dataset" if table["dataset"].nunique() >= DATASETS_TO_GENERALISE else "seed")
        units = table.groupby(over)["gain"].mean().dropna()
        gain, low, high = interval(units)
        _, *narrow = interval(units, NARROW)
        margin = decision.margin(metric, test_rows)
        top, top_low, top_high = interval(table.groupby(over)["top"].mean().dropna())
        within = runs[runs[budget] <= runs["dataset"].map(table.groupby("dataset")["high"].first())]
        rows.append(
            {
                "domain": domain,
                "metric": metric,
                "budget": budget,
                "gain": gain,
                "low": low,
                "high": high,
                "narrow_low": narrow[0],
                "narrow_high": narrow[1],
                "margin": margin,
                "label": decision.label(*PAIR, gain, (low, high), tuple(narrow), margin),
                "interval_over": over,
                "units": len(units),
                "top": top,
                "top_low": top_low,
                "top_high": top_high,
                "names": " ".join(table["dataset"].unique()),
                "gains": " ".join(f"{own:.4g}" for own in table.groupby("dataset", sort=False)["gain"].mean()),
                "datasets": table["dataset"].nunique(),
                "seeds": table["seed"].nunique(),
                "tries_KAN": _tries(runs, "KAN"),
                "tries_MLP": _tries(runs, "MLP"),
                "within_KAN": _tries(within, "KAN"),
                "within_MLP": _tries(within, "MLP"),
                "budget_low": table["low"].min(),
                "budget_high": table["high"].max(),
            }
            | _happened(runs, table)
        )
    return pandas.DataFrame(rows)


def _happened(runs: pandas.DataFrame, table: pandas.DataFrame) -> dict[str, object]:
    """What happened to the runs of the models, by the runs and their table of `gains`."""
    found = {}
    for outcome, name in ((DIVERGED, "diverged"), (AT_CHANCE, "at_chance"), (FAILED, "failed")):
        found |= {f"{name}_{model}": outcomes.count(runs[runs["model"] == model], outcome) for model in PAIR}
    lowest = table.groupby("dataset")[[f"at_chance_{model}" for model in PAIR]].min()
    found |= {f"all_at_chance_{model}": _joined(lowest.index[lowest[f"at_chance_{model}"] == 1]) for model in PAIR}
    some = scored(runs).dropna(subset="choice")
    for model in PAIR:
        own = set(some.loc[some["model"] == model, "dataset"])
        found[f"no_score_{model}"] = _joined(name for name in table["dataset"].unique() if name not in own)
    return found


def _joined(names: Iterable[str]) -> str | None:
    return " ".join(names) or None


def _tries(runs: pandas.DataFrame, model: str) -> int:
    """Tries of a model per dataset and seed."""
    own = runs[runs["model"] == model]
    return round(len(own) / max(1, len(own[["dataset", "seed"]].drop_duplicates())))


def matched(runs: pandas.DataFrame, points: int = 4, budgets: Sequence[str] = BUDGETS) -> pandas.DataFrame:
    """The best of each model at a few matched budgets: per dataset, budget kind and budget the mean score over seeds with
    its interval, and the gain of KAN over MLP with its interval. `train_<model>` is the mean metric on the
    training part; `no_score_<model>` and `at_chance_<model>` are the seeds of which the model has no score there, so that there
    is no mean, and of which its chosen run is at chance."""
    rows = []
    for kind in budgets:
        steps = envelope(runs, kind)
        for dataset, group in runs.groupby("dataset"):
            ends = common_budgets(group.rename(columns={kind: "budget"})[["model", "budget"]])
            at_budgets = numpy.clip(numpy.geomspace(ends[0], ends[-1], points), ends[0], ends[-1])
            metric = group["metric"].iloc[0]
            own = steps[steps["dataset"] == dataset]
            seeds = sorted(set(group["seed"]))
            lines = {model: [own[(own["model"] == model) & (own["seed"] == seed)] for seed in seeds] for model in PAIR}
            scores = {model: numpy.array([at(line, at_budgets) for line in lines[model]]) for model in PAIR}
            chances = {model: numpy.array([at(line, at_budgets, "at_chance") for line in lines[model]]) for model in PAIR}
            trained = {model: numpy.array([at(line, at_budgets, "train") for line in lines[model]]) for model in PAIR}
            for i, value in enumerate(at_budgets):
                row = {"dataset": dataset, "metric": metric, "budget": kind, "at": value}
                for model, score in scores.items():
                    row[model], row[f"{model}_low"], row[f"{model}_high"] = interval(score[:, i])
                first, second = scores["KAN"][:, i], scores["MLP"][:, i]
                gain = first - second if metric == "accuracy" else numpy.log10(second / first)
                row["gain"], row["gain_low"], row["gain_high"] = interval(gain)
                row |= {f"train_{model}": train[:, i].mean() for model, train in trained.items()}
                row |= {f"no_score_{model}": int(numpy.isnan(scores[model][:, i]).sum()) for model in PAIR}
                row |= {f"at_chance_{model}": int((chances[model][:, i] == 1).sum()) for model in PAIR}
                rows.append(row)
    return pandas.DataFrame(rows)


def best(runs: pandas.DataFrame) -> pandas.DataFrame:
    """What each model reaches whatever its size: per dataset and seed the score of its best choice, then the mean over
    datasets (errors: geometric mean). Returns one row (model, metric, score, low, high) with an interval over seeds.

    `no_score` is the number of datasets, each with a seed, of which the model has no score, and which the mean leaves out;
    `at_chance` that of best choices which are at chance (NaN if the runs do not say it)."""
    table = scored(runs)
    rows = []
    for (model, metric), all_own in table.groupby(["model", "metric"]):
        own = all_own.dropna(subset="choice")
        groups = own.groupby(["dataset", "seed"])["choice"]
        chosen = own.loc[groups.idxmax() if metric == "accuracy" else groups.idxmin()]
        accuracy = metric == "accuracy"
        values = chosen["score"] if accuracy else numpy.log10(chosen["score"])
        summary = interval(values.groupby(chosen["seed"]).mean())
        happened = all_own.groupby(["dataset", "seed"]).ngroups - groups.ngroups, outcomes.count(chosen, AT_CHANCE)
        rows.append((model, metric, *(summary if accuracy else (10**value for value in summary)), *happened))
    return pandas.DataFrame(rows, columns=["model", "metric", "score", "low", "high", "no_score", "at_chance"])


def beside_published(ours: pandas.DataFrame, headline: pandas.DataFrame) -> pandas.DataFrame:
    """The rows of `best` (with a column `domain`) and the paper's headline bars in one table with a column `source`."""
    theirs = headline.melt(["domain", "metric"], ["KAN", "MLP"], "model", "score").assign(source="paper")
    theirs["low"] = theirs["high"] = theirs["score"]
    columns = ["domain", "source", "model", "metric", "score", "low", "high", "no_score", "at_chance"]
    both = pandas.concat([theirs, ours.assign(source="here")]).reindex(columns=columns)
    order = {domain: number for number, domain in enumerate(headline["domain"])}
    return both.sort_values("domain", key=lambda names: names.map(order), kind="stable", ignore_index=True)
