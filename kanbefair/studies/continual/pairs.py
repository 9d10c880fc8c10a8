"""KAN against MLP (relu), seed by seed, and what a strategy adds to naive training."""

import numpy
import pandas

from kanbefair.report import statistics

PLACE = ["dataset", "stream_name"]
KIND = ["strategy", "optimizer_state"]
PAIR = ("KAN", "MLP relu")
DIFFERENCE = " − ".join(PAIR)
"""The pair in a table: the first minus the second."""


def carried(table: pandas.DataFrame) -> pandas.DataFrame:
    """The rows in which the optimiser's state is carried from task to task."""
    return table[table["optimizer_state"] == "carried"]


def naive(table: pandas.DataFrame) -> pandas.DataFrame:
    """The rows of naive training with the optimiser's state carried from task to task, on which the claims rest."""
    return carried(table[table["strategy"] == "naive"])


def paired(best: pandas.DataFrame, measure: str) -> pandas.DataFrame:
    """KAN minus MLP (relu) in a measure (`findings.MEASURES`), for the rows of `findings.chosen`.

    Returns a row per place, kind and seed that both have, with the column `difference`.
    """
    wide = best.pivot_table(index=[*PLACE, *KIND, "seed"], columns="network", values=f"test_{measure}")
    wide = wide.reindex(columns=list(PAIR))
    return (wide[PAIR[0]] - wide[PAIR[1]]).dropna().rename("difference").reset_index()


def gaps(best: pandas.DataFrame) -> pandas.DataFrame:
    """KAN minus MLP (relu) in forgetting, average and learned, for every stream, strategy and optimiser state.

    From the rows of `findings.chosen`. Columns: PLACE, KIND, measure, effect, low, high (the 95 % interval over seeds), seeds.
    """
    rows = []
    for measure in ("forgetting", "average", "learned"):
        for names, own in paired(best, measure).groupby([*PLACE, *KIND], sort=False):
            rows.append((*names, measure, *statistics.interval(own["difference"]), len(own)))
    return pandas.DataFrame(rows, columns=[*PLACE, *KIND, "measure", "effect", "low", "high", "seeds"])


def remedies(best: pandas.DataFrame) -> pandas.DataFrame:
    """What each strategy adds to the average after the last task over `naive`, seed by seed, for every network.

    From the rows of `findings.chosen` with the optimiser's state carried. The rows of the network `DIFFERENCE` say how much
    more the strategy adds for KAN. Columns: PLACE, strategy, network, gain, low, high (the 95 % interval over seeds),
    narrow_low, narrow_high (90 %), seeds.
    """
    wide = carried(best).pivot_table(index=[*PLACE, "network", "seed"], columns="strategy", values="test_average")
    gains = wide.drop(columns="naive", errors="ignore").sub(wide.get("naive", numpy.nan), axis=0).reset_index()
    gains = gains.melt([*PLACE, "network", "seed"], var_name="strategy", value_name="gain").dropna()
    pair = gains.pivot_table(index=[*PLACE, "strategy", "seed"], columns="network", values="gain")
    pair = pair.reindex(columns=list(PAIR))
    more = (pair[PAIR[0]] - pair[PAIR[1]]).dropna().rename("gain").reset_index().assign(network=DIFFERENCE)
    rows = []
    for names, own in pandas.concat([gains, more]).groupby([*PLACE, "strategy", "network"], sort=False):
        _, *narrow = statistics.interval(own["gain"], statistics.NARROW)
        rows.append((*names, *statistics.interval(own["gain"]), *narrow, len(own)))
    columns = ["gain", "low", "high", "narrow_low", "narrow_high", "seeds"]
    return pandas.DataFrame(rows, columns=[*PLACE, "strategy", "network", *columns])


def kept(line: pandas.DataFrame, levels: numpy.ndarray, column: str = "test_average") -> numpy.ndarray:
    """What is left after the last task when each task has been learned at least to a level, or another column; one value per
    level.

    `line` is a row per learning rate. Of those whose `valid_learned` reaches the level, the one with the best `valid_average`
    counts. It may have learned far more than the level.
    """
    ranked = line.sort_values("valid_average", ascending=False)
    reached = ranked["valid_learned"].to_numpy() >= levels[:, None]
    return ranked[column].to_numpy()[reached.argmax(1)]


def equal_learning(table: pandas.DataFrame) -> pandas.DataFrame:
    """KAN minus MLP (relu) in what is left after the last task where both learned the tasks at least up to one level.

    From all runs of naive training with the optimiser's state carried. Returns a row per place and seed. `low` is the larger
    of the two networks' least `valid_learned`, `high` the smaller of their greatest. `difference` is the mean difference of
    `kept` over the levels from `low` to `high`, and `learned` that of what the same runs had just learned on the test part;
    both are NaN where `low` is not below `high`.
    """
    rows = []
    for names, seed in naive(table).groupby([*PLACE, "seed"], sort=False):
        lines = [seed[seed["network"] == network] for network in PAIR]
        low = max(line["valid_learned"].min() for line in lines)
        high = min(line["valid_learned"].max() for line in lines)
        levels = numpy.linspace(low, high, 50)
        both = [
            (kept(lines[0], levels, column) - kept(lines[1], levels, column)).mean() if high > low else numpy.nan
            for column in ("test_average", "test_learned")
        ]
        rows.append((*names, low, high, *both))
    return pandas.DataFrame(rows, columns=[*PLACE, "seed", "low", "high", "difference", "learned"])
