"""The columns of the tables of speed."""

from kanbefair.report.columns import Column, declare
from kanbefair.report.shared_columns import COUNTS, DATASET, DOMAIN, KEY, MACHINE, MODEL, VERDICT, named

SIZE = (
    Column("rows", "rows of a batch", "rows"),
    Column("inputs", "inputs of the layer", "values"),
    Column("outputs", "outputs of the layer", "values"),
    Column("grid", "number of grid intervals G", "intervals"),
    Column("order", "polynomial order K"),
    Column("runs", "layers in the stack", "layers"),
)
LAYER = Column("layer", "which layer, ours or another; each linear one has as many parameters as ours")
WORKERS = Column("workers", "processes that train side by side", "processes")
STACK = Column("stack", "runs that train together", "runs")

declare(
    "speed_limits",
    "this machine at its best",
    Column("gflops", "operations of a large matrix product", "10⁹ a second"),
    Column("gbytes", "memory read and written in a large copy", "10⁹ bytes a second"),
    Column("call_seconds", "least time of one call of a PyTorch operator", "seconds"),
    MACHINE,
)
declare(
    "speed_layers",
    "a layer, its size, shortcut and kind of pass",
    SIZE,
    Column("shortcut", "function of the shortcut: silu or none"),
    Column("pass", "what is computed: forward, forward+backward, or that with input gradient"),
    LAYER,
    Column("parameters", "trained values of the layer", "values"),
    Column("{median,low,high}_ms", "time of a pass, median and quartiles", "milliseconds"),
    Column("ratio", "time over that of nn.Linear measured side by side, median"),
    Column("ratio_{low,high}", "quartiles of that ratio"),
    Column("peak_bytes", "memory needed at most beyond what was held before", "bytes"),
    Column("ratio_peak", "that memory over that of nn.Linear"),
    MACHINE,
)
declare(
    "speed_growth",
    "a layer at a value of the size that is varied",
    Column("varied", "what is varied: G, K, width, batch or stack"),
    Column("value", "its value"),
    LAYER,
    SIZE,
    Column("median_ms", "time of forward and backward pass with input gradient, median", "milliseconds"),
    Column("times", "multiple of the time at the smallest value, median"),
    Column("times_{low,high}", "quartiles of that multiple"),
    MACHINE,
)
declare(
    "speed_rates",
    "a kind of run, its batches and protocol",
    Column("run", "kind of run"),
    Column("batches", "whether each run of a stack has batches of its own, or all share theirs: own or shared"),
    Column("protocol", "fair or published"),
    Column("train_curve", "whether the training part is evaluated after every epoch"),
    STACK,
    WORKERS,
    Column("run_seconds", "share of a run in the time of its stack on one worker, evaluations included", "seconds"),
    Column("runs_an_hour", "runs that all workers train in an hour", "runs an hour"),
    Column("original", "rate that the authors recorded", "runs an hour"),
    Column("gflops", "operations that a run needs at least, by the time that it takes", "10⁹ a second"),
    Column("gbytes", "memory traffic that a run needs at least, by the time that it takes", "10⁹ bytes a second"),
    Column("calls_per_step", "calls of PyTorch operators in a training step of the stack", "calls"),
    Column("arithmetic", "share of the machine's best rate of operations"),
    Column("memory", "share of the machine's best memory traffic"),
    Column("calls", "share of the time that the calls take at the least"),
    MACHINE,
)
declare(
    "speed_runs",
    "a run of a section",
    DATASET,
    MODEL,
    Column("widths", "widths of the hidden layers, joined by _", "units"),
    Column("grid", "number of grid intervals G of the splines; empty for an MLP", "intervals"),
    KEY,
    STACK,
    named(COUNTS, "parameters", "flops"),
    Column("stack_seconds", "time of a run as its share of a stack", "seconds"),
    Column("alone_seconds", "time of a run trained by itself", "seconds"),
    MACHINE,
)
declare("speed_verdict", "a domain and a kind of budget, times among them (`statistics.verdict`)", VERDICT)
declare(
    "speed_grid",
    "a dataset and model of the released rows",
    DOMAIN,
    DATASET,
    MODEL,
    Column("rows", "released rows, each a run", "runs"),
    Column("epochs", "passes over the training rows", "epochs"),
    Column("{train,test}_rows", "rows of the part", "rows"),
    Column("inputs", "inputs of a row", "values"),
    Column("outputs", "outputs of a row", "values"),
    Column("stand_in", "data of about equal size that the time was measured on"),
    WORKERS,
    Column("hours", "estimated time of all these runs here", "hours"),
    MACHINE,
)
