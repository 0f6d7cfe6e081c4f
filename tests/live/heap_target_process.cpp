// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/live/heap_target_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <sstream>

namespace asrtrace::heap {

TargetProcess::TargetProcess(const std::vector<std::string>& command) {
    int to[2], from[2];
    if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0) return;
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::dup2(to[0], 0);
        ::dup2(from[1], 1);
        std::vector<char*> arguments;
        arguments.reserve(command.size() + 1);
        for (const std::string& word : command)
            arguments.push_back(const_cast<char*>(word.c_str()));
        arguments.push_back(nullptr);
        ::execv(arguments[0], arguments.data());
        ::_exit(127);
    }
    ::close(to[0]);
    ::close(from[1]);
    in_ = to[1];
    out_ = from[0];
    pid_ = pid;
    if (read_answer().empty()) {
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
}

TargetProcess::~TargetProcess() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    ::close(in_);
    ::close(out_);
}

TargetProcess::Answer TargetProcess::ask(const std::string& line) {
    const std::string text = line + "\n";
    if (::write(in_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) return {};
    return read_answer();
}

TargetProcess::Answer TargetProcess::read_answer() {
    std::string line;
    char byte = 0;
    while (::read(out_, &byte, 1) == 1 && byte != '\n') line += byte;
    Answer answer;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
        const std::size_t at = word.find('=');
        if (at != std::string::npos) {
            answer[word.substr(0, at)] = std::strtoull(word.c_str() + at + 1, nullptr, 10);
        }
    }
    return answer;
}

std::string program(const std::string& name) {
    return std::string(HEAP_PROGS) + "/" + name;
}

std::string fresh_seed() {
    const char* given = std::getenv("ASRTRACE_SEED");
    std::string seed =
        given != nullptr ? given : std::to_string(std::random_device{}() % 1000000007U);
    std::printf("seed %s\n", seed.c_str());
    return seed;
}

}  // namespace asrtrace::heap
