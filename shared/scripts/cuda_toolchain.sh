#!/bin/sh
# Prints the path of an nvcc that compiles tile kernels (13.3 or newer): the system's, or else one from wheels, which
# are put into a virtual environment in the user's cache folder the first time (600 MB; needs python3 with venv).
#
#   sh shared/scripts/cuda_toolchain.sh          find it, or else install it
#   sh shared/scripts/cuda_toolchain.sh --find   find it, install nothing; exit code 3 when there is none
#   sh shared/scripts/cuda_toolchain.sh --cuobjdump   the path of cuobjdump, which reads what nvcc made, from the wheels
#
# LADDER_CUDA_VENV names another folder for the environment. Exit codes: 0 done, 2 bad usage, 3 this machine cannot.
set -u

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P) || exit 3
pins=$root/requirements-cuda.txt
venv=${LADDER_CUDA_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/gpt-ladder/cuda}

fail() { echo "cuda_toolchain: $*" >&2; exit 3; }

compiles_tiles() {
  release=$("$1" --version 2>/dev/null | sed -n 's/.*release \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
  [ -n "$release" ] || return 1
  [ "${release% *}" -gt 13 ] || { [ "${release% *}" -eq 13 ] && [ "${release#* }" -ge 3 ]; }
}

print_system_nvcc() {
  for nvcc in "${CUDACXX-}" "$(command -v nvcc)" /usr/local/cuda/bin/nvcc; do
    if [ -n "$nvcc" ] && compiles_tiles "$nvcc"; then echo "$nvcc"; return 0; fi
  done
  return 1
}

# The environment counts only when it was finished and holds every pin of today.
print_venv_nvcc() {
  [ -f "$venv/pins.txt" ] || return 1
  [ -z "$(grep -v '^#' "$pins" | grep -vxFf "$venv/pins.txt")" ] || return 1
  for nvcc in "$venv"/lib/python3*/site-packages/nvidia/cu*/bin/nvcc; do
    if [ -x "$nvcc" ] && compiles_tiles "$nvcc"; then echo "$nvcc"; return 0; fi
  done
  return 1
}

print_cuobjdump() {
  print_venv_nvcc >/dev/null || return 1
  for tool in "$venv"/lib/python3*/site-packages/nvidia/cu*/bin/cuobjdump; do
    if [ -x "$tool" ]; then echo "$tool"; return 0; fi
  done
  return 1
}

install_venv() {
  command -v python3 >/dev/null || fail "python3 is missing; it installs the wheels"
  rm -f "$venv/pins.txt"
  mkdir -p "$venv" 2>/dev/null || fail "cannot write to $venv"
  echo "cuda_toolchain: installing the compiler into $venv" >&2
  python3 -m venv "$venv" >&2 || fail "python3 cannot make a virtual environment (on Debian: apt-get install python3-venv)"
  # Without a network: a line after a minute, not a wait.
  at_most=
  command -v timeout >/dev/null && at_most="timeout 900"
  # shellcheck disable=SC2086  # two words or none
  $at_most "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input --no-deps --retries 2 --timeout 15 \
    -r "$pins" </dev/null >"$venv/install.log" 2>&1 ||
    fail "the wheels of requirements-cuda.txt could not be installed: $(grep -i error "$venv/install.log" | tail -n 1)"
  # The wheels bring lib/ and versioned libraries only; nvcc links from lib64/ by the plain name.
  for toolkit in "$venv"/lib/python3*/site-packages/nvidia/cu*; do
    [ -e "$toolkit/lib64" ] || ln -s lib "$toolkit/lib64"
  done
  cp "$pins" "$venv/pins.txt"
}

case ${1-} in
  '') print_system_nvcc || print_venv_nvcc || { install_venv && print_venv_nvcc; } ||
    fail "the wheels brought no nvcc of 13.3 or newer" ;;
  --find) print_system_nvcc || print_venv_nvcc || exit 3 ;;
  --cuobjdump) print_cuobjdump || { install_venv && print_cuobjdump; } || fail "the wheels brought no cuobjdump" ;;
  *) echo "cuda_toolchain: unknown argument '$1' (valid: --find, --cuobjdump)" >&2; exit 2 ;;
esac
