#!/bin/sh
# The launcher on machines that lack things: a copy of it runs with a PATH that holds only plain utilities and pretended
# package managers, compilers and cmake. usage: launcher.sh SOURCE_DIR WORK_DIR
set -u

source_dir=$1
work=$2
failures=0
rm -rf "$work"
mkdir -p "$work"
work=$(cd "$work" && pwd -P)

utilities="awk cat chmod cksum cut date dirname env flock getconf grep head ls mkdir mv readlink rm rmdir sed sh sleep sort tail tee touch tr"

# pretend NAME: a command of that name whose text is standard input.
pretend() { { echo '#!/bin/sh'; cat; } >"$machine/bin/$1"; chmod +x "$machine/bin/$1"; }

# new_machine NAME UID: a copy of the launcher and a PATH with utilities only.
new_machine() {
  machine=$work/$1
  mkdir -p "$machine/bin" "$machine/project/shared"
  cp "$source_dir/ladder" "$machine/project/"
  cp -r "$source_dir/shared/scripts" "$machine/project/shared/"
  for utility in $utilities; do
    path=$(command -v "$utility") && ln -sf "$path" "$machine/bin/$utility"
  done
  echo "echo $2" | pretend id
  echo "echo Linux" | pretend uname
}

# Debian's package manager: notes how it was called, and brings a compiler, cmake, ninja and the headers.
pretend_apt() {
  pretend apt-cache </dev/null
  pretend apt-get <<END
echo "\$*" >>"$machine/apt.log"
case "\$*" in *install*) ;; *) exit 0 ;; esac
[ "\$DEBIAN_FRONTEND" = noninteractive ] || exit 9
if read -r line; then exit 9; fi
for tool in "$machine"/shop/*; do cp "\$tool" "$machine/bin/"; done
for header in Eigen/Core catch2/catch.hpp CLI/CLI.hpp fmt/core.h nlohmann/json.hpp ./pcre2.h; do
  mkdir -p "$machine/include/\${header%/*}"; : >"$machine/include/\$header"
done
END
  ln -sf "$(command -v cp)" "$machine/bin/cp"
  mkdir -p "$machine/shop"
  printf '#!/bin/sh\nexit 0\n' >"$machine/shop/g++"
  printf '#!/bin/sh\nexit 0\n' >"$machine/shop/ninja"
  cat >"$machine/shop/cmake" <<END
#!/bin/sh
case "\$1" in
  --version) echo "cmake version 3.25.1" ;;
  --preset) echo configured >>"$machine/cmake.log"
    echo "CMAKE_HOME_DIRECTORY:INTERNAL=$machine/project" >"$machine/project/build/CMakeCache.txt"
    : >"$machine/project/build/build.ninja" ;;
  --build)
    [ ! -e "$machine/broken" ] || { echo "FAILED: value.cpp.o"; echo "value.cpp:1: error: it is broken"; exit 1; }
    printf '#!/bin/sh\necho "ran \$*"\nexit 7\n' >"$machine/project/build/ladder"
    chmod +x "$machine/project/build/ladder" ;;
esac
END
  chmod +x "$machine"/shop/*
}

# launch ARGUMENTS: runs the launcher there; output and exit code in $output and $code.
launch() {
  output=$(env -i PATH="$machine/bin" HOME="$machine" CPATH="$machine/include" "$machine/project/ladder" "$@" </dev/null 2>&1)
  code=$?
}

# expect CODE PATTERN WHAT: the last launch ended with this code and its output has this text.
expect() {
  case $output in *"$2"*) found=yes ;; *) found=no ;; esac
  [ "$code" = "$1" ] && [ "$found" = yes ] && return
  failures=$((failures + 1))
  printf 'FAILED: %s: wanted exit code %s and "%s"; got %s and:\n%s\n' "$3" "$1" "$2" "$code" "$output"
}
claim() { # claim WHAT COMMAND...
  what=$1
  shift
  "$@" || { failures=$((failures + 1)); echo "FAILED: $what"; }
}

new_machine bare 1000
launch doctor
expect 3 "MISSING  cmake" "doctor without anything names what is missing"
launch doctor --frobnicate
expect 2 "unknown argument '--frobnicate'" "doctor refuses arguments"
launch info
expect 3 "this system's package manager" "an unknown system gets the list of packages"
launch test --ful
expect 2 "unknown argument '--ful'" "test refuses unknown arguments before it installs anything"
launch test --full --part tidy,tidi
expect 2 "unknown part 'tidi' (valid: tests slow clang sanitizers format tidy mutants tiles fuzz)" "an unknown part gets the valid ones"
launch test --full --part
expect 2 "--part wants a name (valid: tests slow" "--part without a name"
launch test --full --part=
expect 2 "--part wants a name (valid: tests slow" "--part with an empty name"
launch test --part tidy
expect 2 "--part goes with --full" "--part without --full"
launch test --part tidy --ci
expect 2 "--part goes with --full" "--part with --ci"
launch test --ci --full
expect 2 "name one" "--ci and --full together"
launch test --ci -- -R value
expect 2 "ctest's options go with the quick tests, not with --ci" "--ci with ctest's options"
launch test --ci quickly
expect 2 "unknown argument 'quickly'" "--ci with a word too many"
launch test --help
expect 0 "--part NAME" "test --help names its options"
launch test --ci
expect 3 "missing: cmake" "--ci says what it needs"
launch test --full --part format
expect 3 "clang-format" "--full says what it needs"

new_machine user 1000
pretend_apt
launch info
expect 3 "sudo apt-get update && sudo apt-get install -y cmake ninja-build g++" "a user without sudo gets the one command"
claim "a user without sudo calls apt-get" [ ! -e "$machine/apt.log" ]

new_machine asking_sudo 1000
pretend_apt
echo "exit 1" | pretend sudo
launch
expect 3 "sudo apt-get install -y" "a sudo that would ask is not used"
claim "apt-get was called without root" [ ! -e "$machine/apt.log" ]

new_machine willing_sudo 1000
pretend_apt
# shellcheck disable=SC2016
echo '[ "$1" = -n ] || exit 9; shift; exec "$@"' | pretend sudo
echo "exit 0" | pretend true
launch sample --greedy
expect 7 "ran sample --greedy" "sudo -n installs, then the program runs"

new_machine root 0
pretend_apt
launch
expect 7 "ran climb" "root installs, builds and climbs; the exit code is passed on"
launch "two words" x
expect 7 "ran two words x" "arguments pass through"
claim "a second call configured again" [ "$(grep -c . "$machine/cmake.log")" = 1 ]
claim "a second call installed again" [ "$(grep -c 'install' "$machine/apt.log")" = 1 ]
launch doctor
expect 0 "Nothing needed is missing" "doctor is content afterwards"
: >"$machine/broken"
launch info
expect 3 "value.cpp:1: error: it is broken" "a failed build shows the compiler's words"

new_machine old_cmake 1000
pretend_apt
echo 'echo "cmake version 3.18.4"' | pretend cmake
launch
expect 3 "3.18.4 is too old" "an old cmake is named"

new_machine mac 501
echo "echo Darwin" | pretend uname
launch
expect 3 "brew install cmake ninja" "macOS gets Homebrew's command"

new_machine fedora 1000
pretend dnf </dev/null
launch
expect 3 "sudo dnf install -y cmake ninja-build gcc-c++" "Fedora gets dnf's command"

[ "$failures" = 0 ] || { echo "$failures failures"; exit 1; }
echo "the launcher behaved on every pretended machine"
