// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "server/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace asr {
namespace {

constexpr int kFailure = 2;

struct Worker {
    pid_t pid;
    int pipe;
    bool ready = false;
    bool stopped = false;  ///< accepts no more
};

std::string how_it_ended(int status) {
    if (WIFSIGNALED(status)) return std::string("by ") + strsignal(WTERMSIG(status));
    return "with status " + std::to_string(WEXITSTATUS(status));
}

class Supervisor {
  public:
    Supervisor(const RunWorker& run_worker, const std::function<void()>& ready)
        : run_worker_(run_worker), ready_(ready) {
        sigset_t signals;
        sigemptyset(&signals);
        for (const int signal : {SIGTERM, SIGINT}) sigaddset(&signals, signal);
        signals_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
        if (signals_ < 0) throw std::runtime_error("signalfd failed");
    }
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;
    ~Supervisor() { close(signals_); }

    int run() {
        start();
        while (!workers_.empty()) {
            std::vector<pollfd> waits = {{signals_, POLLIN, 0}};
            for (const auto& worker : workers_) waits.push_back({worker.pipe, POLLIN, 0});
            if (poll(waits.data(), waits.size(), -1) < 0) continue;
            // Backwards, and new workers come behind: indices stay right.
            for (std::size_t i = waits.size() - 1; i > 0; --i) {
                if (waits[i].revents != 0) hear(i - 1);
            }
            take_signals();
        }
        return status_;
    }

  private:
    void start() {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
        const pid_t pid = fork();
        if (pid < 0) throw std::runtime_error("fork failed");
        if (pid == 0) {
            // A parent that was killed must not leave a worker behind that holds the port.
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            close(ends[0]);
            close(signals_);
            for (const auto& other : workers_) close(other.pipe);
            std::exit(run_worker_(Reporter(ends[1])));
        }
        close(ends[1]);
        workers_.push_back({pid, ends[0]});
    }

    void hear(std::size_t index) {
        char what = 0;
        if (read(workers_[index].pipe, &what, 1) != 1) {
            reap(index);
        } else if (what == 'r') {
            workers_[index].ready = true;
            if (!announced_) ready_();
            announced_ = true;
        } else {
            workers_[index].stopped = true;
            if (!ending_) start();
        }
    }

    /// The worker has closed its pipe, which only its end does.
    void reap(std::size_t index) {
        const Worker worker = workers_[index];
        workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(index));
        close(worker.pipe);
        int status = 0;
        while (waitpid(worker.pid, &status, 0) < 0 && errno == EINTR) {
        }
        if (ending_ || (worker.stopped && status == 0)) return;
        if (!worker.ready) {
            end(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : kFailure);
            return;
        }
        std::fprintf(stderr, "asr-worker: worker %d ended %s\n", worker.pid,
                     how_it_ended(status).c_str());
        if (!worker.stopped) start();
    }

    void take_signals() {
        signalfd_siginfo info{};
        while (read(signals_, &info, sizeof info) == sizeof info) end(0);
    }

    void end(int status) {
        if (!ending_) status_ = status;
        ending_ = true;
        for (const auto& worker : workers_) kill(worker.pid, SIGTERM);
    }

    const RunWorker& run_worker_;
    const std::function<void()>& ready_;
    int signals_;
    std::vector<Worker> workers_;
    bool announced_ = false;
    bool ending_ = false;
    int status_ = 0;
};

}  // namespace

void Reporter::tell(char what) const {
    if (fd_ >= 0) (void)!write(fd_, &what, 1);
}

int supervise(const RunWorker& run_worker, const std::function<void()>& ready) {
    return Supervisor(run_worker, ready).run();
}

}  // namespace asr
