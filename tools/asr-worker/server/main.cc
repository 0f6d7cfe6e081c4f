// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <httplib.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <exception>
#include <thread>

#include "server/options.h"
#include "server/service.h"

namespace {

constexpr int kEnvironmentError = 2;
constexpr std::size_t kWidestSampleBytes = 8;          // 64-bit float WAV
constexpr std::size_t kUploadOverheadBytes = 1 << 20;  // headers, other fields
constexpr int kKeepAliveSeconds = 2;                   // bounds how long a shutdown takes
constexpr int kKeepAliveRequests = 100000;

// Stops the server on SIGTERM or SIGINT, which must be blocked in every thread.
class StopOnSignal {
  public:
    StopOnSignal(httplib::Server& server, const sigset_t& signals)
        : thread_([this, &server, signals] {
              int signal = 0;
              sigwait(&signals, &signal);
              // stop() does nothing before the server runs, so a signal in between would be lost.
              while (!finished_) {
                  server.stop();
                  std::this_thread::sleep_for(std::chrono::milliseconds(20));
              }
          }) {}
    StopOnSignal(const StopOnSignal&) = delete;
    StopOnSignal& operator=(const StopOnSignal&) = delete;
    ~StopOnSignal() {
        finished_ = true;
        // Blocked everywhere, so it wakes the thread from sigwait and ends nothing.
        pthread_kill(thread_.native_handle(), SIGTERM);
        thread_.join();
    }

  private:
    std::atomic<bool> finished_{false};
    std::thread thread_;
};

asr::ServiceLimits limits_for(const asr::Options& options, const asr::Weights& weights) {
    const auto frames =
        static_cast<std::uint64_t>(std::floor(options.max_seconds * weights.sample_rate_hz));
    return {weights.sample_rate_hz, frames,
            static_cast<std::size_t>(frames) * kWidestSampleBytes + kUploadOverheadBytes};
}

int listen(httplib::Server& server, const asr::Options& options) {
    int port = options.port;
    if (port == 0) {
        port = server.bind_to_any_port(options.host);
    } else if (!server.bind_to_port(options.host, port)) {
        port = -1;
    }
    if (port < 0) {
        std::fprintf(stderr, "asr-worker: cannot listen on %s:%d (is the port in use?)\n",
                     options.host.c_str(), options.port);
        return kEnvironmentError;
    }
    std::printf("asr-worker listening on %s:%d pid %d\n", options.host.c_str(), port, getpid());
    std::fflush(stdout);
    server.listen_after_bind();
    return 0;
}

int run(const asr::Options& options, const sigset_t& signals) {
    const asr::Network network(asr::load_weights(options.model), options.compute_threads);
    const auto& weights = network.weights();
    const asr::Recognizer recognizer(
        network,
        asr::make_chunking(options.chunk_seconds, options.stride_seconds, options.tail_seconds,
                           weights.sample_rate_hz, weights.frame_samples));
    asr::Plants plants(options.plants);
    asr::Service service(recognizer, plants, limits_for(options, weights));

    httplib::Server server;
    server.new_task_queue = [&] {
        return new httplib::ThreadPool(static_cast<std::size_t>(options.http_threads));
    };
    // httplib's default is SO_REUSEPORT: two workers on one port, each with half of the requests.
    server.set_socket_options([](socket_t socket) {
        const int on = 1;
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    });
    server.set_keep_alive_timeout(kKeepAliveSeconds);
    server.set_keep_alive_max_count(kKeepAliveRequests);
    service.install(server, options.debug_endpoints);
    const StopOnSignal stop(server, signals);
    return listen(server, options);
}

}  // namespace

int main(int argc, char** argv) {
    asr::Options options;
    int exit_status = 0;
    if (!asr::parse_options(argc, argv, options, exit_status)) return exit_status;

    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    try {
        return run(options, signals);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "asr-worker: %s\n", error.what());
        return kEnvironmentError;
    }
}
