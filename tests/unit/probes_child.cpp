// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/probes_child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace asrtrace {

WaitingChild::WaitingChild(const std::string& program, const std::vector<std::string>& arguments) {
    int to_child[2];
    int from_child[2];
    if (::pipe2(to_child, O_CLOEXEC) != 0) return;
    UniqueFd child_input(to_child[0]);
    input_.reset(to_child[1]);
    if (::pipe2(from_child, O_CLOEXEC) != 0) return;
    const UniqueFd output(from_child[0]);
    UniqueFd child_output(from_child[1]);
    std::vector<std::string> texts{program};
    texts.insert(texts.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    argv.reserve(texts.size() + 1);
    for (std::string& text : texts) argv.push_back(text.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
        ::dup2(child_input.get(), STDIN_FILENO);
        ::dup2(child_output.get(), STDOUT_FILENO);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    child_input.reset();
    child_output.reset();
    char byte = 0;
    ready_ = pid_ > 0 && ::read(output.get(), &byte, 1) == 1;
}

WaitingChild::~WaitingChild() {
    input_.reset();
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

std::string built(const std::string& name) {
    return std::string(PROBES_DIR) + "/" + name;
}

}  // namespace asrtrace
