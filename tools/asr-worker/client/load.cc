// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "client/load.h"

#include <httplib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

namespace asr {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kTimeoutSeconds = 120;

// Indices of utterances in the order of the requests.
std::vector<std::size_t> draw_order(const LoadPlan& plan, std::size_t utterances) {
    std::mt19937_64 engine(plan.seed);
    std::vector<std::size_t> round(utterances);
    for (std::size_t i = 0; i < utterances; ++i) round[i] = i;
    std::vector<std::size_t> order;
    while (plan.repeat && order.size() < plan.requests) order.push_back(engine() % utterances);
    while (order.size() < plan.requests) {
        // Fisher and Yates by hand: std::shuffle's order differs by library.
        for (std::size_t i = utterances; i > 1; --i) std::swap(round[i - 1], round[engine() % i]);
        order.insert(order.end(), round.begin(), round.end());
    }
    order.resize(plan.requests);
    return order;
}

class Load {
  public:
    Load(const LoadPlan& plan, const std::vector<RecordedUtterance>& utterances)
        : plan_(plan), utterances_(utterances), order_(draw_order(plan, utterances.size())) {}

    LoadResult run() {
        start_ = Clock::now();
        std::vector<std::thread> threads;
        const std::size_t count = std::max<std::size_t>(1, plan_.concurrency);
        threads.reserve(count);
        for (std::size_t i = 0; i < count; ++i) threads.emplace_back([this] { work(); });
        for (auto& thread : threads) thread.join();
        result_.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
        std::sort(result_.latencies_ms.begin(), result_.latencies_ms.end());
        return std::move(result_);
    }

  private:
    void work() {
        for (std::size_t i = next_++; i < order_.size(); i = next_++) {
            if (plan_.requests_per_second > 0) {
                const auto due = static_cast<double>(i) / plan_.requests_per_second;
                std::this_thread::sleep_until(start_ + std::chrono::duration_cast<Clock::duration>(
                                                           std::chrono::duration<double>(due)));
            }
            request(utterances_[order_[i]]);
        }
    }

    void request(const RecordedUtterance& utterance) {
        // A connection a request, as curl does it.
        httplib::Client client(plan_.host, plan_.port);
        client.set_read_timeout(kTimeoutSeconds);
        const httplib::MultipartFormDataItems items = {
            {"audio_file", utterance.wav, utterance.name + ".wav", "audio/wav"}};
        const auto begin = Clock::now();
        const auto answer = client.Post("/transcribe", items);
        const std::chrono::duration<double, std::milli> latency = Clock::now() - begin;

        const std::lock_guard lock(mutex_);
        if (!answer) {
            ++result_.by_status[0];
            note_error("no answer: " + httplib::to_string(answer.error()));
            return;
        }
        ++result_.by_status[answer->status];
        result_.latencies_ms.push_back(latency.count());
        const auto body = nlohmann::json::parse(answer->body, nullptr, false);
        if (answer->status != 200 || !body.is_object() || !body.contains("text") ||
            !body["text"].is_string()) {
            note_error("HTTP " + std::to_string(answer->status) + ": " + answer->body);
            return;
        }
        result_.score.add(utterance.transcript, body["text"].get<std::string>());
    }

    void note_error(const std::string& text) {
        if (result_.first_error.empty()) result_.first_error = text;
    }

    const LoadPlan& plan_;
    const std::vector<RecordedUtterance>& utterances_;
    std::vector<std::size_t> order_;
    std::atomic<std::size_t> next_{0};
    Clock::time_point start_;
    std::mutex mutex_;
    LoadResult result_;
};

}  // namespace

std::size_t LoadResult::failed() const {
    std::size_t count = 0;
    for (const auto& [status, requests] : by_status) count += status == 200 ? 0 : requests;
    return count;
}

double LoadResult::latency_ms(double percentile) const {
    if (latencies_ms.empty()) return 0.0;
    const double rank = std::ceil(percentile / 100.0 * static_cast<double>(latencies_ms.size()));
    const auto index = static_cast<std::size_t>(std::max(1.0, rank)) - 1;
    return latencies_ms[std::min(index, latencies_ms.size() - 1)];
}

LoadResult run_load(const LoadPlan& plan, const std::vector<RecordedUtterance>& utterances) {
    return Load(plan, utterances).run();
}

}  // namespace asr
