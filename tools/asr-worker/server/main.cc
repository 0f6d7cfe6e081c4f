// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <httplib.h>
#include <pthread.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <random>
#include <thread>

#include "server/life.h"
#include "server/listener.h"
#include "server/options.h"
#include "server/service.h"
#include "server/supervisor.h"

namespace {

constexpr int kEnvironmentError = 2;
constexpr std::size_t kWidestSampleBytes = 8;          // 64-bit float WAV
constexpr std::size_t kUploadOverheadBytes = 1 << 20;  // headers, other fields
constexpr int kKeepAliveSeconds = 2;                   // bounds how long a shutdown takes
constexpr int kKeepAliveRequests = 100000;
constexpr int kLookMilliseconds = 50;  // at whether life is over, where nobody connects

// Ends the worker's life on SIGTERM or SIGINT, which must be blocked in every thread.
class EndOnSignal {
  public:
    EndOnSignal(asr::Life& life, const sigset_t& signals)
        : thread_([&life, signals] {
              int signal = 0;
              sigwait(&signals, &signal);
              life.end();
          }) {}
    EndOnSignal(const EndOnSignal&) = delete;
    EndOnSignal& operator=(const EndOnSignal&) = delete;
    ~EndOnSignal() {
        // Blocked everywhere, so it wakes the thread from sigwait and ends nothing.
        pthread_kill(thread_.native_handle(), SIGTERM);
        thread_.join();
    }

  private:
    std::thread thread_;
};

asr::ServiceLimits limits_for(const asr::Options& options, const asr::Weights& weights) {
    const auto frames =
        static_cast<std::uint64_t>(std::floor(options.max_seconds * weights.sample_rate_hz));
    return {weights.sample_rate_hz, frames,
            static_cast<std::size_t>(frames) * kWidestSampleBytes + kUploadOverheadBytes,
            options.spool_bytes, options.most_in_flight};
}

// Of this worker alone.
std::uint64_t draw_limit(const asr::Options& options) {
    std::random_device entropy;
    std::uniform_int_distribution<std::uint64_t> jitter(0, options.most_requests_jitter);
    return options.most_requests + jitter(entropy);
}

void set_up(asr::SharedServer& server, const asr::Options& options, const asr::Life& life,
            const asr::Reporter& reporter) {
    const auto threads = static_cast<std::size_t>(options.http_threads);
    server.set_keep_alive_timeout(kKeepAliveSeconds);
    server.set_keep_alive_max_count(kKeepAliveRequests);
    server.new_task_queue = [&server, &life, &reporter, threads] {
        return new asr::Connections(threads, life, server, [&reporter] { reporter.stopped(); });
    };
    server.set_idle_interval(std::chrono::milliseconds(kLookMilliseconds));
}

int serve(const asr::Options& options, int listener, const sigset_t& signals,
          const std::function<void()>& ready, const asr::Reporter& reporter) {
    const asr::Network network(asr::load_weights(options.model), options.compute_threads);
    const auto& weights = network.weights();
    const asr::Recognizer recognizer(
        network,
        asr::make_chunking(options.chunk_seconds, options.stride_seconds, options.tail_seconds,
                           weights.sample_rate_hz, weights.frame_samples));
    asr::Plants plants(options.plants);
    asr::Life life(options.most_requests == 0 ? 0 : draw_limit(options));
    asr::Service service(recognizer, plants, limits_for(options, weights), life);
    asr::SharedServer server;
    set_up(server, options, life, reporter);
    service.install(server, options.debug_endpoints);
    const EndOnSignal end(life, signals);
    server.adopt(listener);
    ready();
    server.listen_after_bind();
    return 0;
}

int guarded(const std::function<int()>& body) {
    try {
        return body();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "asr-worker: %s\n", error.what());
        return kEnvironmentError;
    }
}

int run(const asr::Options& options, const sigset_t& signals) {
    const auto listener = asr::listen_on(options.host, options.port);
    const auto announce = [&] {
        std::printf("asr-worker listening on %s:%d pid %d\n", options.host.c_str(), listener.port,
                    getpid());
        std::fflush(stdout);
    };
    if (options.most_requests == 0) {
        return serve(options, listener.fd, signals, announce, asr::Reporter());
    }
    return asr::supervise(
        [&](const asr::Reporter& reporter) {
            return guarded([&] {
                return serve(
                    options, listener.fd, signals, [&] { reporter.ready(); }, reporter);
            });
        },
        announce);
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
    return guarded([&] { return run(options, signals); });
}
