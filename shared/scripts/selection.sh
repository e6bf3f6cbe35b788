# Which items of a dear part come first in `./ladder test --ci`: those that a change concerns, then the rest; where each
# of the two begins turns with the commit, so that successive commits cover different shares. Sourced; needs $root.

# commit_turn: the number that the rotation goes by. A shallow clone cannot count its commits
# and takes the hash instead.
commit_turn() {
  (
    cd "$root" || exit
    if [ "$(git rev-parse --is-shallow-repository 2>/dev/null)" = false ]; then
      git rev-list --count HEAD
    else
      hash=$(git rev-parse --verify --quiet HEAD | cut -c 1-7)
      echo $((0x${hash:-0}))
    fi
  )
}

# rotated TURN: the lines of standard input, from another one on for every turn. Steps of the golden section spread any
# run of commits evenly over the lines, however many lines a share reaches.
rotated() {
  awk -v turn="$1" '{ line[NR - 1] = $0 }
    END { start = int(turn * 0.6180339887 % 1 * NR); for (i = 0; i < NR; ++i) print line[(start + i) % NR] }'
}

# changed_files COMMIT: what differs from that commit, one path a line; nothing where git does not know it.
changed_files() {
  (
    cd "$root" && git cat-file -e "$1^{commit}" 2>/dev/null || exit 0
    git diff --name-only "$1" --
    git ls-files --others --exclude-standard
  )
}

# includes FILE...: lines of includer and included, of the tracked files and of these generated ones. Every include in
# quotes is written from the root.
includes() {
  (
    cd "$root" || exit
    git grep -I '^ *# *include "' -- .
    [ $# = 0 ] || grep -H '^ *# *include "' "$@"
  ) 2>/dev/null | sed -n "s|^$root/||; s|^\([^:]*\):[^\"]*\"\([^\"]*\)\".*|\1 \2|p"
}

# concerned INCLUDES: the files named on standard input and all that include one of them, directly or not. What nothing
# includes (scripts, data, build files, the rules of clang-tidy) concerns no item: the rotation alone reaches what they
# decide, so after such a change `--full` runs before an issue is resolved, as it does anyway.
concerned() {
  awk -v edges="$1" '
    { reached[$1] }
    END {
      while ((getline line <edges) > 0) { split(line, word, " "); from[++count] = word[1]; to[count] = word[2] }
      do {
        grown = 0
        for (i = 1; i <= count; ++i) if (to[i] in reached && !(from[i] in reached)) { reached[from[i]]; grown = 1 }
      } while (grown)
      for (file in reached) print file
    }'
}

# in_order TURN CHANGED: the items of standard input, first those that the file CHANGED lists, both parts rotated.
in_order() {
  cat >"$2.all"
  grep -xF -f "$2" "$2.all" | rotated "$1"
  grep -vxF -f "$2" "$2.all" | rotated "$1"
  rm -f "$2.all"
}
