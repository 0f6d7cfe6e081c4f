#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# clang-format, clang-tidy (warnings are errors; not over tests), shellcheck, licence lines, file lengths, trailing
# white space. clang-tidy needs a build, and remembers by content what it has passed.
#   tools/lint.sh [--no-tidy | --tidy-libraries]
# --tidy-libraries leaves the command's and the worker's own sources out, and reads the libraries as
# build/asan compiles them, one unit a library: a sixth of the time. Else build/release it is.
set -euo pipefail
cd "$(dirname "$0")/.."

build=build/release
readonly cache=build/lint
readonly licence='SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only'
readonly longest=600
failed=0

fail() {
    echo "lint: $*" >&2
    failed=1
}

# Files of the project, without the build and without what a machine wrote.
project_files() {
    find . \( -path ./build -o -path ./.git -o -name __pycache__ -o -name vmlinux.h \) -prune \
        -o -type f "$@" -print | sed 's|^\./||' | sort
}

cpp_files() { project_files \( -name '*.c' -o -name '*.h' -o -name '*.cpp' -o -name '*.cc' \); }

code_files() {
    project_files \( -name '*.c' -o -name '*.h' -o -name '*.cpp' -o -name '*.cc' -o -name '*.py' \
        -o -name '*.sh' -o -name '*.cmake' -o -name CMakeLists.txt -o -name '*.js' -o -name '*.css' \
        -o -name '*.html' -o -path './.ci/run' \)
}

text_files() {
    project_files ! -path './traces/*' | while read -r file; do
        grep -Iq . "$file" && echo "$file"
    done
}

check_format() {
    cpp_files | xargs -r -P "$(nproc)" -n 16 clang-format --dry-run -Werror || fail "clang-format"
}

check_licence() {
    local file
    while read -r file; do
        head -n 3 "$file" | grep -qF "$licence" || fail "$file: no line '$licence'"
    done < <(code_files)
}

check_length() {
    local lines file
    while read -r lines file; do
        [[ $file == total || $lines -le $longest ]] ||
            fail "$file: $lines lines, split it before $longest"
    done < <(code_files | xargs -r wc -l)
}

check_white_space() {
    local found
    found=$(text_files | xargs -r grep -nE '[[:space:]]+$' /dev/null | cut -c1-100 | head -n 20) || true
    [[ -z $found ]] || fail "trailing white space:"$'\n'"$found"
}

check_merges() {
    local found
    found=$(text_files | xargs -r grep -nE '^(<{7}|>{7}) ' /dev/null | head -n 20) || true
    [[ -z $found ]] || fail "half a merge:"$'\n'"$found"
}

check_scripts() {
    { project_files -name '*.sh'; echo .ci/run; } | xargs -r shellcheck -x || fail "shellcheck"
    local file
    while read -r file; do
        /usr/bin/python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' \
            "$file" || fail "$file: no valid Python"
    done < <(project_files -name '*.py')
}

# SOURCE KEY for each compiled source: the key covers its text and that of all its headers outside
# of /usr, as the compiler listed them.
tidy_keys() {
    local hashes=$cache/hashes
    ninja -C "$build" -t deps > "$cache/deps"
    awk '/^    / { print $1 }' "$cache/deps" | grep -v '^/usr/' | sort -u |
        { cd "$build" && xargs -r sha256sum 2> /dev/null; } > "$hashes" || true # deleted headers
    awk -v root="$PWD/" -v build="$build" '
        FNR == NR { hash[$2] = $1; next }
        /^[^ ]/ { if (source != "") print source, key; source = ""; key = ""; next }
        /^    / {
            if (source == "" && $1 !~ "^/usr/") {
                source = $1
                sub("^.*/\\.\\./", "", source)
                sub(root, "", source)
                if (source ~ /\.cxx$/) source = build "/" source
            }
            key = key hash[$1]
        }
        END { if (source != "") print source, key }' "$hashes" "$cache/deps" | sort -u -k1,1
}

# Run by check_tidy through xargs, once a source.
tidy_one() {
    local source=$1 key=$2
    if clang-tidy --quiet -p "$build" "$source" > "$cache/$key.out" 2> "$cache/$key.err"; then
        mv "$cache/$key.out" "$cache/$key.ok"
        rm -f "$cache/$key.err"
        return 0
    fi
    # clang-tidy counts suppressed warnings on stderr; a broken compilation says why there too.
    cat "$cache/$key.out"
    grep -vE '^[0-9]+ warnings? (generated|treated)|^Suppressed|^Use -header' "$cache/$key.err" || true
    rm -f "$cache/$key.out" "$cache/$key.err"
    return 1
}

check_tidy() {
    if [[ ! -f $build/compile_commands.json ]]; then
        fail "clang-tidy needs a build: cmake --preset ${build#*/} && cmake --build --preset ${build#*/}"
        return
    fi
    mkdir -p "$cache"
    find "$cache" -name '*.ok' -mtime +30 -delete
    local settings source content key todo=() known=0
    settings=$(cat .clang-tidy cmake/warnings.cmake <(clang-tidy --version) | sha256sum)
    while read -r source content; do
        key=$(sha256sum <<< "$settings $source $content" | cut -c1-40)
        if [[ -f $cache/$key.ok ]]; then known=$((known + 1)); else todo+=("$source" "$key"); fi
    done < <(tidy_keys | grep -E "^($tidied)/.*\.(cpp|cc|cxx) " | grep -v '/tests/')
    echo "clang-tidy: $known files unchanged, $((${#todo[@]} / 2)) to check"
    [[ ${#todo[@]} -gt 0 ]] || return 0
    printf '%s\n' "${todo[@]}" | xargs -P "$(nproc)" -n 2 tools/lint.sh --tidy-one "$build" ||
        fail "clang-tidy"
}

tidy=1
tidied='user|tools'
case "${1:-}" in
    "") ;;
    --no-tidy) tidy=0 ;;
    --tidy-libraries)
        build=build/asan
        tidied="(build/asan/)?user"
        ;;
    --tidy-one)
        build=$2
        tidy_one "$3" "$4"
        exit
        ;;
    *)
        sed -n '3,8s/^# //p' "$0" >&2
        exit 2
        ;;
esac

check_format
check_licence
check_length
check_white_space
check_merges
check_scripts
[[ $tidy -eq 0 ]] || check_tidy
exit "$failed"
