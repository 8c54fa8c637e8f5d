#!/usr/bin/env bash
# Compares one area of dafu with its peers and prints one line a figure:
#   figure=NAME ours=VALUE peer=NAME:VALUE ratio=R reach=R stretch=R verdict=stretch|reach|short|none
#
# usage: benches/peers/run.sh AREA [--only PART]        (AREA: iforest, features, ensemble, sequence, graph, rules; their parts are in AREA.py)
#        benches/peers/run.sh rules [TURNS]
#
# Sets up a Python virtual environment beside this script once; all areas share it, so a package that several of them
# pin has the same version in all. PyTorch, the peer of sequence, is a large download: 5 GB on the disk. With DAFU_DATA set
# to the data folder the figures on public data sets are measured as well. The peers of rules are crates: a workspace of
# its own in rules/ builds them.
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
area="${1:-}"
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 RAYON_NUM_THREADS=1

if [[ "$area" = rules ]]; then
    (cd "$here/rules" && cargo build --quiet --locked --release) >&2
    exec "${CARGO_TARGET_DIR:-$here/rules/target}/release/rules-peers" speed "${2:-5}"
fi
if [[ -z "$area" || ! -f "$here/$area.py" ]]; then
    echo "usage: $0 AREA, one of:" >&2
    for script in "$here"/*.py; do
        name="$(basename "$script" .py)"
        [[ -f "$here/requirements-$name.txt" ]] && echo "  $name" >&2
    done
    echo "  rules" >&2
    exit 2
fi

venv="$here/.venv"
python="$venv/bin/python"
[[ -x "$python" ]] || python3 -m venv "$venv"
stamp="$venv/$area.requirements"
if ! cmp -s "$here/requirements-$area.txt" "$stamp"; then
    echo "installing the peers of $area" >&2
    "$python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements-$area.txt" >&2
    cp "$here/requirements-$area.txt" "$stamp"
fi

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}"
(cd "$root" && cargo build --quiet --release -p dafu-benches --bin "${area}_peer") >&2

exec "$python" "$here/$area.py" --ours "$CARGO_TARGET_DIR/release/${area}_peer" --cache "$venv/cache" "${@:2}"
