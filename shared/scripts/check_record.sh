# The records of `./ladder test --full`: one JSON file a part, committed by whoever ran it, so that it is known which
# commit was checked whole. Sourced; needs $root and $part_names. record_faults says what is wrong with one.

records=$root/tests/bench/results/checks

# Whether the checkout differs from its commit; the results of runs do not count, because these records are among them.
tree_is_dirty() { [ -n "$(git -C "$root" status --porcelain -- . ':(exclude)tests/bench/results' 2>/dev/null)" ]; }

processor_name() {
  name=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
  echo "${name:-$(sysctl -n machdep.cpu.brand_string 2>/dev/null || uname -m)}"
}

# A JSON string of standard input's first line, without the checkout's own path.
json_string() {
  head -n 1 | tr -d '\000-\037' | sed "s|$root/||g"' ; s/[\\"]/\\&/g; s/.*/"&"/' | grep . || echo '""'
}

# write_record PART OUTCOME SECONDS PROCESSOR_SECONDS NOTE: through a temporary file, so that no
# half of one is ever there.
write_record() {
  commit=$(git -C "$root" rev-parse --verify --quiet HEAD) || { say "no record of $1: git knows no commit here"; return 0; }
  if tree_is_dirty; then dirty=true; else dirty=false; fi
  mkdir -p "$records" && cat >"$records/.$1.$$" <<END && mv "$records/.$1.$$" "$records/$1.json"
{
  "format": "ladder-check/1",
  "part": "$1",
  "commit": "$commit",
  "dirty": $dirty,
  "date": "$(date -u +%Y-%m-%dT%H:%M:%SZ)",
  "machine": {"cpu": $(processor_name | json_string), "cores": $jobs},
  "seconds": $3,
  "processor_seconds": $4,
  "outcome": "$2",
  "note": $(printf '%s\n' "$5" | json_string)
}
END
}

# record_faults FILE: prints what keeps it from being the record of a part that passed; nothing when it is one. The
# files have the layout that write_record gives them, so a pattern a line is enough.
record_faults() {
  string='"([^"\\]|\\["\\])*"'
  name=${1##*/}
  line=0
  while IFS= read -r pattern; do
    line=$((line + 1))
    sed -n "${line}p" "$1" | grep -Eqx -- "$pattern" || echo "$name, line $line: wanted $pattern"
  done <<END
\{
  "format": "ladder-check/1",
  "part": "($(printf '%s' "$part_names" | tr ' ' '|'))",
  "commit": "[0-9a-f]{40}",
  "dirty": (true|false),
  "date": "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
  "machine": \{"cpu": $string, "cores": [0-9]+\},
  "seconds": [0-9]+,
  "processor_seconds": [0-9]+,
  "outcome": "ok",
  "note": $string
\}
END
  [ "$(wc -l <"$1")" -eq "$line" ] || echo "$name: wanted $line lines"
  grep -qxF "  \"part\": \"${name%.json}\"," "$1" || echo "$name: it is another part's record"
}

# recorded_commit PART: the commit that the last whole run of a part saw and passed; nothing where there is none, or
# where the checkout held something else than that commit.
recorded_commit() {
  record=$records/$1.json
  [ -f "$record" ] && [ -z "$(record_faults "$record")" ] || return 0
  grep -q '"dirty": false' "$record" && sed -n 's/^  "commit": "\(.*\)",$/\1/p' "$record"
}
