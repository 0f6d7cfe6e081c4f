# bash completion for asrtrace, which asrtrace.zsh uses too -*- shell-script -*-
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Verbs and options are asked of the program, so that they are those of its version.

_asrtrace_words() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
    if [[ $COMP_CWORD -eq 1 ]]; then
        words=$(asrtrace --help | sed -n '/^Subcommands:/,$p' | sed -n 's/^  \([a-z]\+\) .*/\1/p')
    elif [[ $before == --tier ]]; then
        words="auto full sites watch"
    elif [[ $before == --request ]]; then
        words="auto http usdt: func: every:"
    elif [[ $before == --pid ]]; then
        words=$(cd /proc && printf '%s\n' [0-9]*)
    elif [[ $word == -* ]]; then
        words=$(asrtrace "${COMP_WORDS[1]}" --help | grep -oE '(^| |,)--?[a-z][a-z-]*' | tr -d ' ,')
    else
        # shellcheck disable=SC2207 # one name a line
        COMPREPLY=($(compgen -f -- "$word"))
        return
    fi
    # shellcheck disable=SC2207 # words without spaces
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _asrtrace_words asrtrace
