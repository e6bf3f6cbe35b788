# What finished children cost, and where a build from nothing left what it cost. Sourced. Processor time,
# because on a machine with other work it says more than the time that passed; in hundredths of a second,
# because sh counts in integers.

# children_time SCRATCH_FILE: sets $children to the processor time of this shell's finished children and theirs.
# `times` must not run in a subshell, which would count from nothing, hence the file. Some shells write a decimal comma.
children_time() {
  times >"$1"
  children=$(tr , . <"$1" |
    awk 'END { for (i = 1; i <= 2; ++i) { split($i, t, "m"); total += 60 * t[1] + t[2] } printf "%d", 100 * total }')
}

# logged_time NINJA_LOG: what every output took when it was last made, summed: the time that passed, which is close to
# processor time where there are as many compilers as processors.
logged_time() { logged_costs "$1" | awk '{ total += $2 } END { printf "%d", total }'; }

# logged_costs NINJA_LOG: lines of output and hundredths of a second. A precompiled header is called .gch or .pch
# depending on the compiler, and .pch here.
logged_costs() {
  [ -f "$1" ] || return 0
  awk -F '\t' '!/^#/ { sub(/\.gch$/, ".pch", $4); cost[$4] = ($2 - $1) / 10 }
    END { for (output in cost) printf "%s %d\n", output, cost[output] }' "$1"
}

whole_seconds() { echo $((($1 + 50) / 100)); }
