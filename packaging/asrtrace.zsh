#compdef asrtrace
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What bash is offered, found beside this file.
autoload -U +X bashcompinit && bashcompinit
source "${${(%):-%x}:A:h}/../../bash-completion/completions/asrtrace"
_bash_complete -F _asrtrace_words
