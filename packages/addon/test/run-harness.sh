#!/usr/bin/env bash
# Compiles the harness and runs it over every backend of this system: under ThreadSanitizer, under
# AddressSanitizer with UndefinedBehaviorSanitizer and leak detection, and under valgrind where that
# is installed. Any report of theirs, and any failed theme, fails the script.
#
#   run-harness.sh [thread|address|valgrind]... [--backend NAME] [-- theme...]
#
# A backend is a source that ends with POLLUX_BACKEND; the build:native of its package tells where
# it is built.
#
# CXX is the compiler, JOBS how many run at a time (2). Themes read POLLUX_HARNESS_SEED,
# POLLUX_HARNESS_PERCENT and POLLUX_HARNESS_WATCHDOG (see harness.cc).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
packages=$(cd "$here/../.." && pwd)
cxx=${CXX:-g++}
jobs=${JOBS:-2}
# What the caller's own sanitized or instrumented processes need is not for these.
unset LD_PRELOAD NODE_OPTIONS

flavours=()
themes=()
only=
while [ $# -gt 0 ]; do
  case $1 in
    thread | address | valgrind) flavours+=("$1") ;;
    --backend) only=${2:?} && shift ;;
    --) shift && themes=("$@") && break ;;
    *) echo "usage: ${0##*/} [thread|address|valgrind]... [--backend NAME] [-- theme...]" >&2 && exit 1 ;;
  esac
  shift
done
[ ${#flavours[@]} -gt 0 ] || flavours=(thread address valgrind)

declare -A backends=()
system=$(uname -s | tr '[:upper:]' '[:lower:]')
for source in $(grep -l '^POLLUX_BACKEND(' "$packages"/*/native/*.cc); do
  name=$(basename "$(dirname "$(dirname "$source")")")
  [[ $source == *_windows.cc || $name != "${only:-$name}" ]] && continue
  systems=$(sed -n 's/.*scripts\/on\.mjs \([a-z,0-9]*\) .*/\1/p' "$packages/$name/package.json")
  [[ -z $systems || ,$systems, == *,$system,* ]] && backends[$name]=$source
done
names=($(printf '%s\n' "${!backends[@]}" | sort))
[ ${#backends[@]} -gt 0 ] || { echo "no backend ${only:-of $system}" >&2 && exit 1; }
common=(-std=c++20 -fno-exceptions -fno-rtti -Wall -Wextra -Wshadow -Wvla -Werror -g -O1
  -fno-omit-frame-pointer -pthread -I "$packages/addon/include")
declare -A flags=(
  [thread]='-fsanitize=thread'
  [address]='-fsanitize=address,undefined -fno-sanitize-recover=all'
  [valgrind]=''
)

build=$(mktemp -d "${TMPDIR:-/tmp}/pollux-harness.XXXXXX")
trap 'rm -rf "$build"' EXIT

if [[ " ${flavours[*]} " == *' valgrind '* ]] && ! command -v valgrind >/dev/null; then
  echo 'valgrind is not installed: left out'
  kept=()
  for flavour in "${flavours[@]}"; do [ "$flavour" = valgrind ] || kept+=("$flavour"); done
  flavours=("${kept[@]}")
fi

# Newer kernels randomise more address bits than an older ThreadSanitizer can live with.
plain_layout=()
if setarch "$(uname -m)" -R true 2>/dev/null; then plain_layout=(setarch "$(uname -m)" -R); fi

# One compiler command per line: what every backend shares once per flavour, then the backends.
sources=("$here"/*.cc "$packages"/addon/src/{engine,wait_thread,wakers}.cc)
for flavour in "${flavours[@]}"; do
  mkdir "$build/$flavour"
  for source in "${sources[@]}"; do
    [ "$source" = "$here/backend.cc" ] && continue
    echo "${flags[$flavour]} -c '$source' -o '$build/$flavour/$(basename "$source" .cc).o'"
  done
  for backend in "${!backends[@]}"; do
    echo "${flags[$flavour]} -DPOLLUX_BACKEND_FILE='\"${backends[$backend]}\"'" \
      "-c '$here/backend.cc' -o '$build/$flavour/$backend.backend'"
  done
done >"$build/commands"
export CXX_COMMON="$cxx $(printf '%q ' "${common[@]}")"
tr '\n' '\0' <"$build/commands" | xargs -0 -P "$jobs" -I{} bash -c "$CXX_COMMON {}"
for flavour in "${flavours[@]}"; do
  for backend in "${!backends[@]}"; do
    # shellcheck disable=SC2086
    "$cxx" ${flags[$flavour]} -pthread -Wl,--wrap=calloc,--wrap=realloc,--wrap=epoll_ctl,--wrap=syscall \
      "$build/$flavour"/*.o -x none "$build/$flavour/$backend.backend" -o "$build/$flavour/$backend"
  done
done

run() { # flavour, backend
  local program=$build/$1/$2
  local asked=(${themes[@]+"${themes[@]}"})
  case $1 in
    thread)
      TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1 ${TSAN_OPTIONS:-}" \
        "${plain_layout[@]}" "$program" "${asked[@]}"
      ;;
    address)
      ASAN_OPTIONS="detect_leaks=1 detect_stack_use_after_return=1 ${ASAN_OPTIONS:-}" \
        UBSAN_OPTIONS="print_stacktrace=1 ${UBSAN_OPTIONS:-}" "$program" "${asked[@]}"
      ;;
    valgrind)
      # One thread runs at a time there, some fifty times slower.
      POLLUX_HARNESS_PERCENT=${POLLUX_HARNESS_PERCENT:-4} \
        valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect \
        --errors-for-leak-kinds=definite,indirect --fair-sched=try "$program" "${asked[@]}"
      ;;
  esac
}

failures=0
declare -A titles=(
  [thread]=ThreadSanitizer
  [address]='AddressSanitizer and UndefinedBehaviorSanitizer'
  [valgrind]=valgrind
)
report() { # pid, flavour, backend
  local log=$build/$2.$3.log
  if wait "$1"; then
    echo "$3 under ${titles[$2]}: $(tail -n 1 "$log")"
  else
    echo "$3 under ${titles[$2]}: FAILED" >&2
    # epoll_pwait2 is new to valgrind, and to the harness one more kernel without it.
    sed -E '/^--[0-9]+-- (WARNING: unhandled [^ ]+ syscall: 441|You may be able|Read the file README_|Nevertheless we consider|it at http)/d' \
      "$log" >&2
    failures=$((failures + 1))
  fi
}

for flavour in "${flavours[@]}"; do
  for ((first = 0; first < ${#names[@]}; first += jobs)); do
    pids=()
    for backend in "${names[@]:first:jobs}"; do
      (run "$flavour" "$backend") >"$build/$flavour.$backend.log" 2>&1 &
      pids+=($!)
    done
    for i in "${!pids[@]}"; do report "${pids[i]}" "$flavour" "${names[first + i]}"; done
  done
done
exit $((failures > 0))
