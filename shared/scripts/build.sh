# Configuring and building, quietly and one at a time. Sourced by ./ladder after requirements.sh.

jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

# lock DIR / unlock: two launchers must not build in one folder at once. flock lets go by itself when its holder dies;
# where it does not exist, a folder stands for the lock and names its holder, so that a dead one can be recognised.
lock() {
  if have flock; then
    exec 9>"$1/.lock" || return 1
    flock -n 9 || { say "another ./ladder builds here; waiting for it"; flock 9; }
    return
  fi
  lock_folder=$1/.lock.d
  until mkdir "$lock_folder" 2>/dev/null; do
    holder=$(cat "$lock_folder/holder" 2>/dev/null)
    if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then rm -rf "$lock_folder"; continue; fi
    sleep 1
  done
  echo $$ >"$lock_folder/holder"
}
unlock() {
  if have flock; then exec 9>&-; else rm -rf "$lock_folder"; fi
}

# Reads a build's output; shows how far it is. Prints nothing at all when there was nothing to build.
progress() {
  began=$(date +%s)
  shown=no
  while IFS= read -r line; do
    case $line in
      \[*\]*[Bb]uilding* | \[*\]*[Ll]inking* | \[*\]*Embedding* | \[*\]*Generating*) ;;
      *) continue ;;
    esac
    count=${line%%]*}]
    if [ -t 2 ]; then
      printf '\rladder: building %s %.50s\033[K' "$count" "${line##*/}" >&2
    elif [ "$shown" = no ]; then
      say "building in $1"
    fi
    shown=yes
  done
  [ "$shown" = yes ] || return 0
  [ -t 2 ] && printf '\r\033[K' >&2
  say "built in $(($(date +%s) - began)) s"
}

# The part of a log that says why: ninja's first failure without its long command line, else the last lines.
show_failure() {
  if grep -q '^FAILED:' "$1"; then
    sed -n '/^FAILED:/,$p' "$1" | grep -v -e '^FAILED:' -e ' -c .*\.cpp$' -e '^\[' | cut -c 1-400 | head -n 40 >&2
  else
    tail -n 25 "$1" >&2
  fi
  say "the build failed; its whole output: $1"
}

configure() {
  set -- "$1" "$2" -DCMAKE_CXX_COMPILER="$3"
  have ninja || set -- "$@" -G "Unix Makefiles"
  have ccache && set -- "$@" -DCMAKE_CXX_COMPILER_LAUNCHER=ccache
  configure_preset=$1
  configure_folder=$2
  shift 2
  (cd "$root" && cmake --preset "$configure_preset" -B "$configure_folder" "$@") \
    </dev/null >"$configure_folder/configure.log" 2>&1
}

# configure_if_needed PRESET FOLDER: configures a folder that is not yet, under its lock. $compiler overrides $cxx.
configure_if_needed() {
  mkdir -p "$2" && lock "$2" || { say "cannot write to $2"; return 3; }
  configure_locked "$1" "$2"
  configured=$?
  unlock
  return "$configured"
}

configure_locked() {
  cache=$2/CMakeCache.txt
  # A checkout that was moved or copied keeps a cache that names its old place.
  if [ -f "$cache" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$cache"; then
    rm -rf "$cache" "$2/CMakeFiles"
  fi
  if [ -f "$cache" ] && { [ -f "$2/build.ninja" ] || [ -f "$2/Makefile" ]; }; then return 0; fi
  say "configuring $1 with ${compiler:-$cxx}"
  rm -rf "$cache" "$2/CMakeFiles"
  configure "$1" "$2" "${compiler:-$cxx}" && return 0
  rm -f "$cache"
  show_failure "$2/configure.log"
  return 3
}

# build_preset PRESET FOLDER TARGET...: configures once, builds the targets.
build_preset() {
  preset=$1
  folder=$2
  shift 2
  mkdir -p "$folder" && lock "$folder" || { say "cannot write to $folder"; return 3; }
  configure_locked "$preset" "$folder" || { unlock; return 3; }
  # A pipe hides the exit code of its first command, hence the file.
  {
    cmake --build "$folder" -j "$jobs" --target "$@" </dev/null 2>&1
    echo $? >"$folder/.result"
  } | tee "$folder/build.log" | progress "$folder"
  result=$(cat "$folder/.result")
  unlock
  [ "$result" = 0 ] && return 0
  show_failure "$folder/build.log"
  return 3
}
