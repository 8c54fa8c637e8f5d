"""Window features against the Fraud Detection Handbook's code, pandas, polars and river; see run.sh.

Features: the Handbook's twelve. Of a customer: count and mean amount of the last 1, 7 and 30 days, the transaction
itself included. Of a terminal: count and share of frauds over 1, 7 and 30 days that end 7 days back, when labels are
known; the share is 0 where the count is 0. A window is (t - w, t]; of equal times the earlier row comes first.

Data: the Handbook's transactions in DAFU_DATA; without it, 200,000 made-up rows with the same columns.

Speed: CPU seconds (user + system, all threads), one thread, the programs taking turns, medians; the Handbook's code
runs once, as it takes about a minute. Reading the file does not count. The peers get integer keys and columns of the
types that suit them best, ours gets text keys. Everyone gives the features in the order of the file.
Ours runs without looking for duplicates in the twelve windows (ids would take four more bytes an event); the standard set
looks for them. A stream hands on the features of each event before the next is taken, and looks 8 events ahead for their
entities; a comment tells what it takes to observe them one by one. In batch ours is given all rows in one call, and again
in record batches of 131,072 rows, whose memory the allocator hands out again instead of asking the system for 125 MB. The
file has no device, address, card, category or place, so the features about these are missing.
  - handbook: the shape of "Baseline feature transformation" in chapter 3 of Le Borgne, Siblini, Lebichot, Bontempi,
    Reproducible Machine Learning for Credit Card Fraud Detection (2022): a function with pandas' rolling windows is
    applied to the transactions of each customer, then of each terminal. Written anew and a little leaner: only the
    columns that are needed, no lists on the way.
  - pandas: groupby and rolling on whole columns.
  - polars: rolling_sum_by over customers and terminals, with POLARS_MAX_THREADS=1; a comment tells the CPU of two.
  - river: TimeRolling(Mean) for the windows of the customer, on the first 60,000 rows, event by event.

Equality: every row of our twelve columns against pandas; the exit status is 1 when counts differ, or when means or
shares differ by more than 1e-9 (relative to the larger of 1 and the value). Comments tell how far the peers agree.
"""

import argparse
import datetime
import gzip
import os
import pathlib
import subprocess
import sys
import time

# polars reads this when it is imported.
os.environ.setdefault("POLARS_MAX_THREADS", "1")

import numpy as np
import pandas as pd
import polars as pl
import river
from river import stats, utils

from figures import at_least, at_most, figure

ROUNDS = 3
DAYS = (1, 7, 30)
DELAY = 7
LABEL_DAYS = (DELAY, *(DELAY + days for days in DAYS))
RIVER_EVENTS = 60_000
STAND_IN_EVENTS = 200_000
TOLERANCE = 1e-9
COUNTS = [0, 1, 2, 6, 7, 8]
MEANS = [3, 4, 5]
SHARES = [9, 10, 11]


def cpu(call):
    """CPU seconds of a call, and its result."""
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


def write_stand_in(path):
    """Made-up transactions, as dense as the Handbook's; one in ten falls on a full hour, so on edges of windows."""
    random = np.random.default_rng(20180401)
    seconds = random.integers(0, 136 * 86_400, STAND_IN_EVENTS)
    on_the_hour = random.random(STAND_IN_EVENTS) < 0.1
    seconds[on_the_hour] -= seconds[on_the_hour] % 3600
    seconds.sort()
    amount = np.maximum(1, random.gamma(2, 2700, STAND_IN_EVENTS).astype(np.int64)) / 100
    fraud = (random.random(STAND_IN_EVENTS) < 0.0084).astype(np.int64)
    frame = pd.DataFrame({
        "transaction_id": np.arange(STAND_IN_EVENTS),
        "user_id": random.integers(0, 765, STAND_IN_EVENTS),
        "amount": amount,
        "merchant_id": random.integers(0, 1534, STAND_IN_EVENTS),
        "timestamp": np.datetime64("2018-04-01", "s") + seconds,
        "is_fraud": fraud,
        "fraud_scenario": fraud,
    })
    with gzip.open(path, "wt", compresslevel=1, newline="") as sink:
        frame.to_csv(sink, index=False, float_format="%.2f", date_format="%Y-%m-%d %H:%M:%S", lineterminator="\n")


def read(path):
    """The columns that the features need, as arrays."""
    frame = pd.read_csv(path, usecols=["user_id", "amount", "merchant_id", "timestamp", "is_fraud"])
    data = {
        "user": frame["user_id"].to_numpy(np.int64),
        "merchant": frame["merchant_id"].to_numpy(np.int64),
        "time": pd.to_datetime(frame["timestamp"]).to_numpy("datetime64[us]"),
        "amount": frame["amount"].to_numpy(np.float64),
        "fraud": frame["is_fraud"].to_numpy(np.int64),
    }
    if (data["time"][1:] < data["time"][:-1]).any():
        sys.exit(f"{path}: the rows are not ordered by time")
    return data


def handbook_input(data):
    return pd.DataFrame({"row": np.arange(len(data["user"])), **data})


def handbook_customer(transactions):
    transactions = transactions.sort_values("time", kind="stable").set_index("time", drop=False)
    for days in DAYS:
        window = transactions["amount"].rolling(f"{days}D")
        total, count = window.sum(), window.count()
        transactions[f"user_count_{days}"] = count
        transactions[f"user_mean_{days}"] = total / count
    return transactions


def handbook_terminal(transactions):
    transactions = transactions.sort_values("time", kind="stable").set_index("time", drop=False)
    unknown = transactions["fraud"].rolling(f"{DELAY}D")
    unknown_frauds, unknown_count = unknown.sum(), unknown.count()
    for days in DAYS:
        window = transactions["fraud"].rolling(f"{DELAY + days}D")
        frauds, count = window.sum() - unknown_frauds, window.count() - unknown_count
        transactions[f"merchant_count_{days}"] = count
        transactions[f"merchant_share_{days}"] = (frauds / count).fillna(0)
    return transactions


def handbook(frame):
    """As the Handbook goes about it: one customer after another, then one terminal after another."""
    frame = frame.groupby("user").apply(handbook_customer).reset_index(drop=True)
    frame = frame.sort_values("row").reset_index(drop=True)
    frame = frame.groupby("merchant").apply(handbook_terminal).reset_index(drop=True)
    return frame.sort_values("row").reset_index(drop=True)


def column_names():
    return [f"{name}_{days}" for name in ("user_count", "user_mean", "merchant_count", "merchant_share")
            for days in DAYS]


def pandas_input(data):
    return pd.DataFrame(data).set_index("time")


def pandas_rolling(frame):
    """Whole columns at a time; groupby.rolling gives the groups one after another, so the rows are put back."""
    def windows(key, value, days):
        order = np.argsort(frame[key].to_numpy(), kind="stable")
        grouped = frame.groupby(key)[value]

        def in_file_order(rolled):
            result = np.empty(len(frame))
            result[order] = rolled.to_numpy()
            return result

        for each in days:
            window = grouped.rolling(f"{each}D")
            yield in_file_order(window.count()), in_file_order(window.sum())

    users = list(windows("user", "amount", DAYS))
    (unknown_count, unknown_frauds), *merchants = windows("merchant", "fraud", LABEL_DAYS)
    merchants = [(count - unknown_count, frauds - unknown_frauds) for count, frauds in merchants]
    return (
        [count for count, _ in users] + [total / count for count, total in users] + [count for count, _ in merchants]
        + [np.divide(frauds, count, out=np.zeros(len(frame)), where=count > 0) for count, frauds in merchants])


def polars_input(data):
    frame = pl.DataFrame({**data, "one": np.ones(len(data["user"]), np.int64)})
    # The types that are fastest here.
    return frame.with_columns(pl.col("time").cast(pl.Datetime("ms")), pl.col("fraud", "one").cast(pl.Int32))


def polars_rolling(frame):
    def sums(key, column, days):
        return [pl.col(column).rolling_sum_by("time", f"{each}d").over(key).alias(f"{key}_{column}_{each}")
                for each in days]

    frame = frame.with_columns(
        sums("user", "one", DAYS) + sums("user", "amount", DAYS)
        + sums("merchant", "one", LABEL_DAYS) + sums("merchant", "fraud", LABEL_DAYS))

    def known(column, days):
        return pl.col(f"merchant_{column}_{DELAY + days}") - pl.col(f"merchant_{column}_{DELAY}")

    return frame.select(
        [pl.col(f"user_one_{days}").alias(f"user_count_{days}") for days in DAYS]
        + [(pl.col(f"user_amount_{days}") / pl.col(f"user_one_{days}")).alias(f"user_mean_{days}") for days in DAYS]
        + [known("one", days).alias(f"merchant_count_{days}") for days in DAYS]
        + [(known("fraud", days) / known("one", days)).fill_nan(0.0).alias(f"merchant_share_{days}") for days in DAYS])


def river_input(data):
    first = slice(RIVER_EVENTS)
    return list(zip(data["user"][first].tolist(), data["time"][first].tolist(), data["amount"][first].tolist()))


def river_rolling(events):
    """Count and mean of the three windows of the customer, event by event."""
    periods = [datetime.timedelta(days=days) for days in DAYS]
    users = {}
    rows = []
    for user, when, amount in events:
        windows = users.get(user)
        if windows is None:
            windows = users[user] = [utils.TimeRolling(stats.Mean, period=period) for period in periods]
        row = []
        for window in windows:
            window.update(amount, t=when)
            mean = window.obj
            row.append((mean.n, mean.get()))
        rows.append(row)
    return rows


def ours_call(binary, *words):
    out = subprocess.run([binary, *map(str, words)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {key: float(value) for key, value in (pair.split("=") for pair in out.split())}


def ours_cpu(binary, events, *words):
    """What our program answers; an error when it has not seen all events."""
    answer = ours_call(binary, *words)
    if answer["events"] != events:
        sys.exit(f"{words[0]}: {answer['events']:.0f} events, the file holds {events}")
    return answer


def difference(ours, theirs):
    """The largest difference, relative to the larger of 1 and the value; infinite where one of them is no number."""
    gap = np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))
    return float(np.where(np.isfinite(gap), gap, np.inf).max(initial=0))


def compare(ours, theirs):
    """Rows with all counts equal, and the largest difference of means and of shares; both sides as lists of columns."""
    equal = np.logical_and.reduce([ours[index] == theirs[index] for index in COUNTS])
    means, shares = (
        max(difference(ours[index], theirs[index]) for index in part) for part in (MEANS, SHARES))
    return int(equal.sum()), means, shares


def polars_threads(path):
    """What `polars_cpu` runs in a process of its own."""
    frame = polars_input(read(path))
    print(pl.thread_pool_size(), float(np.median([cpu(lambda: polars_rolling(frame))[0] for _ in range(ROUNDS)])))


def speed(arguments, path, data, name):
    events = len(data["user"])
    taken = {key: [] for key in ("stream", "single", "batch", "batches", "standard", "river_ours", "pandas", "polars", "river")}
    pandas_frame, polars_frame, river_events = pandas_input(data), polars_input(data), river_input(data)
    river_count = len(river_events)
    for _ in range(ROUNDS):
        taken["stream"].append(ours_cpu(arguments.ours, events, "handbook-stream", path)["cpu_s"] / events)
        taken["single"].append(ours_cpu(arguments.ours, events, "handbook-observe", path)["cpu_s"] / events)
        seconds, by_polars = cpu(lambda: polars_rolling(polars_frame))
        taken["polars"].append(seconds / events)
        taken["batch"].append(ours_cpu(arguments.ours, events, "handbook-batch", path)["cpu_s"] / events)
        taken["batches"].append(ours_cpu(arguments.ours, events, "handbook-batches", path)["cpu_s"] / events)
        seconds, by_pandas = cpu(lambda: pandas_rolling(pandas_frame))
        taken["pandas"].append(seconds / events)
        standard = ours_cpu(arguments.ours, events, "standard-stream", path)
        taken["standard"].append(standard["cpu_s"] / events)
        answer = ours_cpu(arguments.ours, river_count, "river-windows", path, river_count)
        taken["river_ours"].append(answer["cpu_s"] / river_count)
        seconds, by_river = cpu(lambda: river_rolling(river_events))
        taken["river"].append(seconds / river_count)
    frame = handbook_input(data)
    seconds, by_handbook = cpu(lambda: handbook(frame))
    taken["handbook"] = [seconds / events]
    median = {key: float(np.median(values)) for key, values in taken.items()}

    def ratio(what, ours, peer_name, peer, reach, stretch):
        value = median[peer] / median[ours]
        figure(f"{what}/{name}", f"{median[ours] * 1e6:.3f}us", peer_name, f"{median[peer] * 1e6:.3f}us",
               f"{value:.2f}", reach, stretch, at_least(value, reach, stretch))

    ratio("stream", "stream", "handbook", "handbook", 80, 140)
    ratio("stream", "stream", "pandas", "pandas", 10, 17)
    ratio("stream", "stream", "polars", "polars", 2, 2.6)
    print(f"# observed one by one: {median['single'] * 1e6:.3f}us an event", flush=True)
    ratio("batch", "batch", "polars", "polars", 3, 4.5)
    ratio("batch_by_batch", "batches", "polars", "polars", 3, 4.5)
    ratio(f"river_windows_{river_count}", "river_ours", "river", "river", 100, 280)
    per_second = 1 / median["standard"]
    figure(f"standard_set_events_per_s_per_core/{name}", f"{per_second:.0f}", "none", "-", f"{per_second:.0f}",
           300000, 1000000, at_least(per_second, 300000, 1000000))
    print(f"# the standard set gives {standard['features']:.0f} features an event")

    if (os.cpu_count() or 1) >= 2:
        out = subprocess.run(
            [sys.executable, __file__, "--polars-threads", path], check=True, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "POLARS_MAX_THREADS": "2"}).stdout
        threads, seconds = out.split()
        print(f"# polars with {threads} threads: {float(seconds) / events * 1e6:.3f}us of CPU an event", flush=True)

    by_handbook = [by_handbook[column].to_numpy() for column in column_names()]
    by_polars = [by_polars[column].to_numpy() for column in column_names()]
    # polars counts in all rows of the same time, the others only those up to the row itself.
    keys = pd.DataFrame({"user": data["user"], "time": data["time"]})
    last = ~keys.duplicated(keep="last").to_numpy()
    for peer, columns, rows, which in (
        ("handbook", by_handbook, slice(None), ""),
        ("polars", by_polars, slice(None), ""),
        ("polars", by_polars, last, " without a later one of the same customer and time"),
    ):
        equal, means, shares = compare([column[rows] for column in columns], [column[rows] for column in by_pandas])
        print(f"# {peer} against pandas: counts equal on {equal} of {len(by_pandas[0][rows])} rows{which}, "
              f"means within {means:.1e}, shares within {shares:.1e}")
    by_river = np.array(by_river).reshape(river_count, len(DAYS), 2)
    equal = int(np.all([by_river[:, index, 0] == by_pandas[index][:river_count] for index in range(3)], axis=0).sum())
    means = max(difference(by_river[:, index, 1], by_pandas[3 + index][:river_count]) for index in range(3))
    print(f"# river against pandas: counts equal on {equal} of {river_count} rows, means within {means:.1e}",
          flush=True)
    return by_pandas


def memory(arguments):
    """Bytes an entity with 60 events in its longest window takes."""
    answer = ours_call(arguments.ours, "memory")
    for key in ("handbook_user_bytes", "handbook_merchant_bytes", "standard_user_bytes"):
        value = answer[key]
        figure(f"memory/{key}", f"{value:.0f}", "none", "-", f"{value:.0f}", 1200, 900, at_most(value, 1200, 900))


def equality(arguments, path, name, by_pandas):
    """Whether our columns are those of pandas."""
    events = len(by_pandas[0])
    right = True
    columns = {}
    for mode in ("stream", "batch"):
        written = arguments.cache / f"features-{mode}.f64"
        written.unlink(missing_ok=True)
        ours_cpu(arguments.ours, events, f"handbook-{mode}", path, "--out", written)
        values = np.fromfile(written, "<f8")
        written.unlink()
        if len(values) != events * len(by_pandas):
            sys.exit(f"handbook-{mode}: {len(values)} values written, expected {events} rows of {len(by_pandas)}")
        columns[mode] = np.ascontiguousarray(values.reshape(events, len(by_pandas)).T)
        equal, means, shares = compare(columns[mode], by_pandas)
        right = right and equal == events and max(means, shares) <= TOLERANCE
        figure(f"equal_counts/{mode}/{name}", equal, "pandas", events, f"{equal / events:.9g}", events, events,
               at_least(equal, events, events))
        for what, value in (("mean", means), ("share", shares)):
            figure(f"{what}_difference/{mode}/{name}", f"{value:.2e}", "pandas", 0, f"{value:.2e}",
                   TOLERANCE, TOLERANCE, at_most(value, TOLERANCE, TOLERANCE))
    bits = int((columns["stream"].view(np.uint64) != columns["batch"].view(np.uint64)).sum())
    print(f"# stream against batch: {bits} of {columns['stream'].size} values differ in any bit")
    return right


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours")
    parser.add_argument("--cache", type=pathlib.Path)
    parser.add_argument("--only", choices=("speed", "equality"))
    parser.add_argument("--polars-threads", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.polars_threads:
        polars_threads(arguments.polars_threads)
        return
    if not arguments.ours or not arguments.cache:
        parser.error("--ours and --cache are needed")
    arguments.cache.mkdir(parents=True, exist_ok=True)
    folder = os.environ.get("DAFU_DATA")
    if folder:
        name = "handbook"
        path = pathlib.Path(folder) / "handbook" / "transactions_2018-04-01_2018-08-14.csv.gz"
    else:
        name = "stand_in"
        path = arguments.cache / "features_stand_in.csv.gz"
        print(f"DAFU_DATA is not set: the figures need the Handbook's transactions; measuring on {STAND_IN_EVENTS} "
              "made-up rows instead", file=sys.stderr, flush=True)
        write_stand_in(path)
    data = read(path)
    print(f"# load average {os.getloadavg()}, {os.cpu_count()} processors, {len(data['user'])} rows, "
          f"numpy {np.__version__}, pandas {pd.__version__}, polars {pl.__version__} with {pl.thread_pool_size()} "
          f"thread(s), river {river.__version__}", flush=True)
    if arguments.only == "equality":
        by_pandas = pandas_rolling(pandas_input(data))
    else:
        by_pandas = speed(arguments, path, data, name)
        memory(arguments)
    if arguments.only != "speed" and not equality(arguments, path, name, by_pandas):
        sys.exit(1)
    if "DAFU_DATA" in os.environ and arguments.only is None:
        forest = pathlib.Path(__file__).with_name("handbook_forest.py")
        subprocess.run([sys.executable, str(forest)], check=True)


if __name__ == "__main__":
    main()
