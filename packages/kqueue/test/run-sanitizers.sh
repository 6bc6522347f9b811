#!/usr/bin/env bash
# The kqueue backend on the model of kqueue, without Node, under sanitizers, in both variants of the
# model: 200,000 random operations against poll(2) (property.cc), and the themes of
# packages/addon/test that are not about epoll. What passes here has not run on macOS or a BSD.
#
#   run-sanitizers.sh [address|thread]...
#
# CXX is the compiler, JOBS how many run at a time (2).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
packages=$(cd "$here/../.." && pwd)
cxx=${CXX:-g++}
jobs=${JOBS:-2}
unset LD_PRELOAD NODE_OPTIONS
[ $# -gt 0 ] || set -- address thread

# Left out, because they say what epoll does: how many descriptors it has, that a duplicate keeps a
# closed number alive, and that no hint comes which is not promised.
left_out=(
  no_descriptors polled_without_means polled_descriptors_are_closed_on_exec
  polled_drops_what_is_stale polled_rebuild polled_rebuild_loses_no_wake polled_by_another_epoll
  ends_and_hints
)
common=(-std=c++20 -Wall -Wextra -Wshadow -Wvla -Werror -g -O1 -fno-omit-frame-pointer -pthread
  -I "$packages/addon/include" -I "$here/model")
plain=(-fno-exceptions -fno-rtti)
declare -A flags=(
  [address]='-fsanitize=address,undefined -fno-sanitize-recover=all'
  [thread]='-fsanitize=thread'
)
export ASAN_OPTIONS="detect_leaks=1 detect_stack_use_after_return=1 ${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1 ${UBSAN_OPTIONS:-}"
# Newer kernels randomise more address bits than an older ThreadSanitizer can live with.
plain_layout=()
if setarch "$(uname -m)" -R true 2>/dev/null; then plain_layout=(setarch "$(uname -m)" -R); fi

build=$(mktemp -d "${TMPDIR:-/tmp}/pollux-kqueue.XXXXXX")
trap 'rm -rf "$build"' EXIT
# The model stands for a kernel, of whose work on descriptors ThreadSanitizer knows nothing either.
echo 'called_from_lib:libkqueue-model.so' >"$build/suppressions"
export TSAN_OPTIONS="halt_on_error=1 suppressions=$build/suppressions ${TSAN_OPTIONS:-}"
backend=$packages/kqueue/native/kqueue.cc
shared=("$packages"/addon/src/{engine,wait_thread,wakers}.cc)

for flavour; do
  to=$build/$flavour
  mkdir "$to"
  # shellcheck disable=SC2206
  with=("${common[@]}" ${flags[$flavour]})
  linked=(-L"$to" -lkqueue-model -Wl,-rpath,"$to")
  kernel=("${with[@]}")
  [ "$flavour" != thread ] || kernel=("${common[@]}")
  "$cxx" "${kernel[@]}" -fPIC -shared "$here"/model/*.cc -o "$to/libkqueue-model.so"
  "$cxx" "${with[@]}" "${plain[@]}" "$here/property.cc" "$backend" "${linked[@]}" -o "$to/property"
  for source in "$packages"/addon/test/*.cc "${shared[@]}"; do
    printf '%s\0' "$source"
  done | xargs -0 -P "$jobs" -I{} bash -c \
    'source=$1; shift; exec "$@" -c "$source" -o "'"$to"'/$(basename "$source" .cc).o"' _ {} \
    "$cxx" "${with[@]}" "${plain[@]}" "-DPOLLUX_BACKEND_FILE=\"$backend\""
  "$cxx" "${with[@]}" -Wl,--wrap=calloc,--wrap=realloc,--wrap=epoll_ctl,--wrap=syscall \
    "$to"/*.o "${linked[@]}" -o "$to/harness"
done

failures=0
for flavour; do
  themes=()
  while read -r theme; do
    [[ " ${left_out[*]} " == *" $theme "* ]] || themes+=("$theme")
  done < <("${plain_layout[@]}" "$build/$flavour/harness" --list)
  for variant in freebsd contrary; do
    export POLLUX_KQUEUE_MODEL=$variant
    for program in "property 200000" "harness ${themes[*]}"; do
      name="kqueue on its model ($variant), ${program%% *}, -fsanitize=$flavour"
      # shellcheck disable=SC2086
      if "${plain_layout[@]}" "$build/$flavour/"$program >"$build/log" 2>&1; then
        echo "$name: $(tail -n 1 "$build/log")"
      else
        echo "$name: FAILED" >&2
        grep -v ' ok$' "$build/log" >&2
        failures=$((failures + 1))
      fi
    done
  done
done
exit $((failures > 0))
