#!/bin/sh
# What configuring says about CUDA: left out when not asked for, and one line instead of an error for a toolkit that
# cannot compile tile kernels. usage: configure.sh SOURCE_DIR WORK_DIR CMAKE COMPILER
set -u

source_dir=$1
work=$2
cmake=$3
compiler=$4
failures=0
rm -rf "$work"
mkdir -p "$work"
unset CUDACXX

# configure OPTIONS...: output and exit code in $output and $code. One folder, in which all that the project and CUDA
# left is forgotten each time: what CMake found out about the C++ compiler stays, and with it most of the time.
configure() {
  output=$("$cmake" -S "$source_dir" -B "$work/build" -U 'LADDER_*' -U 'CMAKE_CUDA*' -D CMAKE_CXX_COMPILER="$compiler" \
    -D LADDER_TESTS=OFF "$@" </dev/null 2>&1)
  code=$?
}

# pretend_nvcc RELEASE: a compiler that only says its version, as nvcc does.
pretend_nvcc() {
  cat >"$work/nvcc" <<END
#!/bin/sh
echo "nvcc: NVIDIA (R) Cuda compiler driver"
echo "Cuda compilation tools, release $1, V$1.48"
END
  chmod +x "$work/nvcc"
}

# expect PATTERN WHAT: configuring succeeded and said this on one line, and nothing else about the GPU.
expect() {
  lines=$(printf '%s\n' "$output" | grep -c 'GPU:')
  if [ "$code" = 0 ] && [ "$lines" = 1 ] && printf '%s\n' "$output" | grep -q -- "$1"; then return; fi
  failures=$((failures + 1))
  printf 'FAILED: %s: wanted one line with "%s"; exit code %s and:\n%s\n' "$2" "$1" "$code" "$output"
}

configure -D LADDER_CUDA=OFF
expect "GPU: skipped (LADDER_CUDA is OFF).*CPU models only" "without CUDA the line says what is left out"

pretend_nvcc 13.2
configure -D LADDER_CUDA=ON -D CMAKE_CUDA_COMPILER="$work/nvcc"
expect "GPU: skipped, nvcc 13.2 is too old (13.3 or newer.*CPU models only" "a toolkit of 13.2 is refused in one line"

pretend_nvcc 12.9
CUDACXX=$work/nvcc
export CUDACXX
configure -D LADDER_CUDA=ON
expect "GPU: skipped, nvcc 12.9 is too old" "CUDACXX is looked at too"
unset CUDACXX

configure -D LADDER_CUDA=ON -D CMAKE_CUDA_COMPILER="$work/no-such-nvcc"
expect "GPU: skipped, no nvcc answers" "a compiler that is not there is no error"

[ "$failures" = 0 ] || { echo "$failures failures"; exit 1; }
echo "configuring said what it leaves out in every case"
