// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// A worker of its own for a test: started on a free port, stopped with the object.
#pragma once

#include <httplib.h>
#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace asr::test {

/// Runs a program to its end; its exit status (128 + signal if it was killed), output dropped.
int run_program(const std::vector<std::string>& command);

class WorkerProcess {
  public:
    /// Starts asr-worker with `arguments` and waits until it listens. Throws std::runtime_error.
    explicit WorkerProcess(std::vector<std::string> arguments = {});
    WorkerProcess(const WorkerProcess&) = delete;
    WorkerProcess& operator=(const WorkerProcess&) = delete;
    ~WorkerProcess();

    int port() const { return port_; }
    pid_t pid() const { return pid_; }

    /// Sends a signal and waits for the end; the exit status, as of run_program.
    int stop(int signal);

    /// A client of this worker, patient enough for a busy machine.
    httplib::Client client() const;

    nlohmann::json get(const std::string& path) const;

    /// Sends bytes as they are; everything that comes back until the worker closes. With `hang_up`
    /// the connection is half-closed behind the bytes (httplib then answers nothing).
    std::string raw_request(const std::string& bytes, bool hang_up) const;

  private:
    pid_t pid_ = -1;
    int port_ = 0;
};

}  // namespace asr::test
