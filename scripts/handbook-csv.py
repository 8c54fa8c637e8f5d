#!/usr/bin/env python3
"""Turns the transactions of the Fraud Detection Handbook into the file that the examples read.

    git clone --depth 1 https://github.com/Fraud-Detection-Handbook/simulated-data-raw
    python3 scripts/handbook-csv.py simulated-data-raw/data handbook.csv.gz [LAST_DAY]

One row a transaction, day after day up to LAST_DAY (default 2018-09-04, the last one that the book judges by): id, customer,
amount, terminal, time, label and what kind of fraud it is. Needs pandas.
"""

import gzip
import pickle
import sys
from pathlib import Path

from pandas.compat import pickle_compat

COLUMNS = "transaction_id,user_id,amount,merchant_id,timestamp,is_fraud,fraud_scenario"
PLAIN = {("builtins", "slice"), ("builtins", "object"), ("_codecs", "encode"), ("functools", "partial")}


class Tables(pickle_compat.Unpickler):
    """Calls functions of pandas and numpy only: a pickle could name any other."""

    def find_class(self, module, name):
        if module.split(".")[0] in ("pandas", "numpy", "datetime") or (module, name) in PLAIN:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} belongs to no table")


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    folder, output = Path(sys.argv[1]), sys.argv[2]
    last = sys.argv[3] if len(sys.argv) == 4 else "2018-09-04"
    days = [path for path in sorted(folder.glob("*.pkl")) if path.stem <= last]
    if not days:
        sys.exit(f"{folder} holds no day until {last}, such as 2018-04-01.pkl")
    rows = 0
    with gzip.open(output, "wt", compresslevel=6) as out:
        print(COLUMNS, file=out)
        for day in days:
            with day.open("rb") as file:
                table = Tables(file).load().sort_values("TRANSACTION_ID")
            times = table.TX_DATETIME.astype("datetime64[s]")
            for row in zip(
                table.TRANSACTION_ID,
                table.CUSTOMER_ID,
                table.TX_AMOUNT,
                table.TERMINAL_ID,
                times,
                table.TX_FRAUD,
                table.TX_FRAUD_SCENARIO,
            ):
                number, user, amount, terminal, time, fraud, scenario = row
                print(number, user, f"{float(amount):.2f}", terminal, time, fraud, scenario, sep=",", file=out)
            rows += len(table)
    print(f"{rows} transactions of {len(days)} days in {output}", file=sys.stderr)


main()
