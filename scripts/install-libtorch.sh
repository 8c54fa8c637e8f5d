#!/usr/bin/env bash
# Sets up libtorch 2.13.0 for CPUs, the C++ library that tch 0.26.0 is built against (x86_64 Linux):
#
#     eval "$(scripts/install-libtorch.sh [FOLDER])"
#
# Stdout holds `export LIBTORCH=...` and nothing else; after a failure it holds `false`, because eval of nothing at
# all would succeed. FOLDER is by default libtorch-2.13.0 in cargo's target folder; one outside of it survives
# `cargo clean`. An install that is complete is used as it is.
#
# No LD_LIBRARY_PATH is set: it would reach every program that the shell starts, and none is needed. A package whose
# build script passes -Wl,-rpath,$LIBTORCH/lib to the linker has the path in its binaries, tests and doctests.
set -euo pipefail

version=2.13.0
# One fixed wheel whatever the local python is: only its C++ part is used. It is the one for CUDA, as the package
# index holds no other for Linux; of its 1 GB the parts for CUDA and for python stay packed.
wheel_python=3.11
wheel_sha256=60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7

say() { printf 'install-libtorch: %s\n' "$*" >&2; }
fail() {
    say "$@"
    exit 1
}
elsewhere="build with --features download-libtorch, or set LIBTORCH to a libtorch $version of your own"

work=
finish() {
    local status=$?
    [ -z "$work" ] || rm -rf "$work"
    [ "$status" -eq 0 ] || echo false
}
trap finish EXIT
# A stop from outside is a failure like others for the trap above.
trap 'exit 130' INT
trap 'exit 143' TERM HUP

case "${1:-}" in
    -h | --help)
        sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
        exit 0
        ;;
    -*) fail "unknown option $1: install-libtorch.sh [FOLDER]" ;;
esac
[ $# -le 1 ] || fail "one folder at most, got $#: install-libtorch.sh [FOLDER]"

[ "$(uname -s) $(uname -m)" = 'Linux x86_64' ] ||
    fail "works on x86_64 Linux only, this is $(uname -m) $(uname -s): $elsewhere"

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
libtorch="$(realpath -m -- "${1:-${CARGO_TARGET_DIR:-$root/target}/libtorch-$version}")"

complete() {
    # The folder appears under its name only when everything is in it, so this guards against other people's folders.
    [ -f "$libtorch/lib/libtorch.so" ] && [ -f "$libtorch/lib/libtorch_cpu.so" ] &&
        [ "$(cat "$libtorch/build-version" 2>/dev/null)" = "$version+cpu" ]
}
print_export() { printf 'export LIBTORCH=%q\n' "$libtorch"; }

if complete; then
    say "already there: $libtorch"
    print_export
    exit 0
fi
if [ -e "$libtorch" ] && [ -n "$(ls -A "$libtorch")" ]; then
    fail "$libtorch is there but is no libtorch $version set up by this script: remove it or name another folder"
fi

# What is missing is said before half a gigabyte is downloaded.
libc="$(getconf GNU_LIBC_VERSION 2>/dev/null)" || fail "needs the GNU C library: $elsewhere"
# 2.28 is what the wheel is built for (manylinux_2_28).
[ "$(printf '%s\n' 'glibc 2.28' "$libc" | sort -V | head -n 1)" = 'glibc 2.28' ] ||
    fail "needs glibc 2.28 or later, this is $libc: $elsewhere"
read -ra cc <<<"${CC:-cc}"
command -v "${cc[0]}" >/dev/null || fail "needs a C compiler, ${cc[0]} is not there (Debian: apt-get install g++)"
read -ra cxx <<<"${CXX:-c++}"
command -v "${cxx[0]}" >/dev/null ||
    say "warning: building tch will need a C++ compiler, ${cxx[0]} is not there (Debian: apt-get install g++)"
command -v python3 >/dev/null || fail 'needs python3, to fetch and unpack the wheel (Debian: apt-get install python3-pip)'

mkdir -p "$(dirname "$libtorch")"
# Beside the final folder, so that the last step is a rename.
work="$(mktemp -d "$libtorch.partial.XXXXXX")"
# Where pip puts the wheel while it arrives; /tmp is often too small.
export TMPDIR="$work"

pip=(python3 -m pip)
if ! "${pip[@]}" --version >/dev/null 2>&1; then
    say 'python3 has no pip: making a virtual environment for it'
    python3 -m venv "$work/venv" >&2 ||
        fail 'needs pip, and python3 has neither pip nor venv (Debian: apt-get install python3-pip)'
    pip=("$work/venv/bin/python3" -m pip)
fi

say "downloading the wheel of torch $version, 527 MB"
# A bar for those who watch, silence in log files.
quiet=(--quiet)
[ ! -t 2 ] || quiet=()
printf 'torch==%s --hash=sha256:%s\n' "$version" "$wheel_sha256" >"$work/requirements.txt"
# The install itself is the cache, a second copy of the wheel in that of pip would only take room.
PIP_REQUIRE_VIRTUALENV=0 "${pip[@]}" download "${quiet[@]}" --disable-pip-version-check --no-cache-dir \
    --no-deps --only-binary=:all: --require-hashes \
    --implementation cp --python-version "$wheel_python" --abi "cp${wheel_python/./}" --platform manylinux_2_28_x86_64 \
    --dest "$work" --requirement "$work/requirements.txt" >&2 ||
    fail "pip could not download torch $version"

say 'unpacking'
python3 - "$work"/torch-*.whl "$work/libtorch" <<'PYTHON' >&2 || fail 'the wheel could not be unpacked'
import os, shutil, sys, zipfile

wheel, target = sys.argv[1:]
libraries = {"torch/lib/" + name for name in ("libc10.so", "libgomp.so.1", "libtorch_cpu.so")}
with zipfile.ZipFile(wheel) as archive:
    for entry in archive.infolist():
        name = entry.filename
        if name in libraries or name.startswith("torch/include/"):
            path = os.path.join(target, *name.split("/")[1:])
        elif ".dist-info/licenses/" in name:
            path = os.path.join(target, "licenses", *name.split("/")[2:])
        else:
            continue
        if entry.is_dir():
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with archive.open(entry) as source, open(path, "wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
        libraries.discard(name)
if libraries:
    sys.exit("not in the wheel: " + ", ".join(sorted(libraries)))
PYTHON
rm "$work"/torch-*.whl
lib="$work/libtorch/lib"
# torch-sys links -lgomp; gcc brings that name, other compilers may not.
ln -s libgomp.so.1 "$lib/libgomp.so"

# libtorch_cpu.so was built with its profiler for GPUs and needs libcudart.so.13 and libcupti.so.13, 27 functions of
# them. These are stand-ins of 32 kB that answer that there is no driver. NVIDIA's own would come in two more wheels,
# 13 MB, with a licence of their own, and would open the driver of a GPU for a library that only uses CPUs.
# The list cannot become stale, as the wheel is fixed by its hash, and the check at the end would tell.
# Keep $LIBTORCH/lib off the LD_LIBRARY_PATH of programs that use CUDA 13: they would find these.
stand_in() { # stand_in LIBRARY, with its C code on stdin
    printf '%s { global: *; };\n' "$1" >"$work/$1.map"
    "${cc[@]}" -shared -fPIC -O1 -o "$lib/$1" -Wl,-soname,"$1" -Wl,--version-script="$work/$1.map" -x c - >&2 ||
        fail "the stand-in for $1 could not be compiled"
}
stand_in libcudart.so.13 <<'C'
/* The ABI lets a function leave its arguments alone. */
enum { SUCCESS = 0, INSUFFICIENT_DRIVER = 35 };
int cudaDeviceSynchronize(void) { return INSUFFICIENT_DRIVER; }
int cudaDriverGetVersion(int *version) { *version = 0; return SUCCESS; }
int cudaGetDeviceCount(int *count) { *count = 0; return INSUFFICIENT_DRIVER; }
int cudaGetDeviceProperties(void) { return INSUFFICIENT_DRIVER; }
const char *cudaGetErrorString(void) { return "this libtorch is for CPUs only"; }
int cudaRuntimeGetVersion(int *version) { *version = 13000; return SUCCESS; }
C
stand_in libcupti.so.13 <<'C'
#include <stdint.h>
enum { SUCCESS = 0, NOT_SUPPORTED = 27 };
#define FAILS(name) int name(void) { return NOT_SUPPORTED; }
FAILS(cuptiActivityDisable)
FAILS(cuptiActivityEnable)
FAILS(cuptiActivityEnableCudaEventDeviceTimestamps)
FAILS(cuptiActivityEnableDriverApi)
FAILS(cuptiActivityEnableRuntimeApi)
FAILS(cuptiActivityFlushAll)
FAILS(cuptiActivityGetNextRecord)
FAILS(cuptiActivityGetNumDroppedRecords)
FAILS(cuptiActivityPopExternalCorrelationId)
FAILS(cuptiActivityPushExternalCorrelationId)
FAILS(cuptiActivityRegisterCallbacks)
FAILS(cuptiActivityRegisterTimestampCallback)
FAILS(cuptiActivitySetAttribute)
FAILS(cuptiEnableCallback)
FAILS(cuptiEnableDomain)
FAILS(cuptiFinalize)
FAILS(cuptiSubscribe)
FAILS(cuptiUnsubscribe)
int cuptiGetCallbackName(int domain, uint32_t id, const char **name) { *name = "none"; return SUCCESS; }
int cuptiGetResultString(int result, const char **text) { *text = "this libtorch is for CPUs only"; return SUCCESS; }
int cuptiGetVersion(uint32_t *version) { *version = 130001; return SUCCESS; }
C

# The wheel's libtorch.so needs libtorch_cuda.so. It is empty but for what it needs, so that here is one without.
# shellcheck disable=SC2016 # $ORIGIN is for the loader, not for the shell.
"${cc[@]}" -shared -fPIC -o "$lib/libtorch.so" -Wl,-soname,libtorch.so -Wl,-rpath,'$ORIGIN' -L"$lib" \
    -Wl,--no-as-needed -ltorch_cpu -x c /dev/null >&2 || fail 'the shell libtorch.so could not be linked'

# A program against all of it, with every symbol looked up at its start, shows that nothing is missing.
echo 'int main(void) { return 0; }' >"$work/check.c"
"${cc[@]}" -o "$work/check" "$work/check.c" -L"$lib" -Wl,-rpath,"$lib" -Wl,-z,now \
    -Wl,--no-as-needed -ltorch -ltorch_cpu -lc10 -lgomp >&2 || fail 'a program could not be linked with this libtorch'
env -u LD_LIBRARY_PATH LD_BIND_NOW=1 "$work/check" >&2 || fail 'a program linked with this libtorch does not start'

printf '%s+cpu\n' "$version" >"$work/libtorch/build-version"
# -T: into a folder that another run has finished meanwhile nothing is moved.
mv -T "$work/libtorch" "$libtorch" 2>/dev/null || complete || fail "could not move the finished install to $libtorch"
say "done: $libtorch, $(du -sh "$libtorch" | cut -f 1)"
print_export
