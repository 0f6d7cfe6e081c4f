// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/worker_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <stdexcept>

namespace asr::test {
namespace {

constexpr int kTimeoutSeconds = 60;

// Planted leaks are no news to LeakSanitizer.
void quieten_leak_check() {
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
}

pid_t spawn(std::vector<std::string> command, int output) {
    quieten_leak_check();
    std::vector<char*> argv;
    argv.reserve(command.size() + 1);
    for (auto& word : command) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (output >= 0) {
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    } else {
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    }
    pid_t pid = -1;
    const int error = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::runtime_error("cannot start " + command[0]);
    return pid;
}

int wait_for(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string read_line(int fd) {
    std::string line;
    for (char c = 0; read(fd, &c, 1) == 1 && c != '\n';) line += c;
    return line;
}

}  // namespace

int run_program(const std::vector<std::string>& command) {
    return wait_for(spawn(command, -1));
}

WorkerProcess::WorkerProcess(std::vector<std::string> arguments) {
    std::vector<std::string> command = {ASR_WORKER_BINARY, "--port", "0"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    pid_ = spawn(command, ends[1]);
    close(ends[1]);
    const auto line = read_line(ends[0]);
    close(ends[0]);
    int printed_pid = 0;
    if (std::sscanf(line.c_str(), "asr-worker listening on 127.0.0.1:%d pid %d", &port_,
                    &printed_pid) != 2 ||
        printed_pid != pid_) {
        wait_for(pid_);
        throw std::runtime_error("asr-worker did not come up, it said: " + line);
    }
}

WorkerProcess::~WorkerProcess() {
    if (pid_ > 0) stop(SIGKILL);
}

int WorkerProcess::stop(int signal) {
    kill(pid_, signal);
    const int status = wait_for(pid_);
    pid_ = -1;
    return status;
}

httplib::Client WorkerProcess::client() const {
    httplib::Client client("127.0.0.1", port_);
    client.set_read_timeout(kTimeoutSeconds);
    return client;
}

nlohmann::json WorkerProcess::get(const std::string& path) const {
    const auto answer = client().Get(path);
    if (!answer || answer->status != 200) throw std::runtime_error("GET " + path + " failed");
    return nlohmann::json::parse(answer->body);
}

std::string WorkerProcess::raw_request(const std::string& bytes, bool hang_up) const {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string answer;
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
        for (std::size_t sent = 0; sent < bytes.size();) {
            const auto n = send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
            if (n <= 0) break;
            sent += static_cast<std::size_t>(n);
        }
        if (hang_up) shutdown(fd, SHUT_WR);
        char piece[4096];
        for (ssize_t n = 0; (n = recv(fd, piece, sizeof piece, 0)) > 0;) {
            answer.append(piece, static_cast<std::size_t>(n));
        }
    }
    close(fd);
    return answer;
}

}  // namespace asr::test
