// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An hour of a busy service, faster than time: 10 requests a second over 5,000 sites, as records of
// the ring through decoder, ledger and trace. Prints what it took as JSON; tests/bench/hour.py
// judges.
//   hour_of_requests TRACE [SECONDS]
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <random>
#include <vector>

#include "bpf/event.h"
#include "tests/unit/trace_sites.h"
#include "user/decode/event.h"
#include "user/ledger/ledger.h"
#include "user/trace/writer.h"

namespace asrtrace {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kRequestsPerSecond = 10;
constexpr std::size_t kBlocksPerRequest = 40;
constexpr std::size_t kCachedBlocks = 20'000;  ///< what outlives requests and is replaced later
constexpr std::uint32_t kLeakingSites = 5;     ///< each loses a block in every tenth request

std::uint64_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t size = 0, resident = 0;
    statm >> size >> resident;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

class Hour {
  public:
    Hour(trace::Writer& writer, std::uint64_t seconds)
        : writer_(writer), seconds_(seconds), ledger_({.start_ns = 0}) {}

    void run() {
        trace::write_head(writer_, {.epochs = seconds_, .requests_per_epoch = kRequestsPerSecond});
        for (std::uint64_t second = 0; second < seconds_; ++second) {
            for (std::uint64_t i = 0; i < kRequestsPerSecond; ++i) {
                request(second * kRequestsPerSecond + i);
                now_ns_ = second * kSecond + (i + 1) * kSecond / kRequestsPerSecond;
                ledger_.tick(now_ns_);
                pass_on();
            }
            writer_.add_sample(trace::scripted_sample(second));
            writer_.add_reading(trace::scripted_reading({}, second), trace::scripted_arenas());
            if (!writer_.commit()) std::abort();
            if (second % (seconds_ / 4) == seconds_ / 4 - 1) resident_.push_back(resident_bytes());
        }
        ledger_.finish(now_ns_ + 1);
        pass_on();
        writer_.set_requests_completed(ledger_.requests_completed());
        if (!writer_.finish()) std::abort();
    }

    void print() const {
        rusage usage{};
        ::getrusage(RUSAGE_SELF, &usage);
        std::printf(
            "{\"events\": %llu, \"cpu_seconds\": %.2f, \"peak_bytes\": %llu, \"resident\": [",
            static_cast<unsigned long long>(events_),
            static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
            static_cast<unsigned long long>(usage.ru_maxrss) * 1024);
        for (std::size_t i = 0; i < resident_.size(); ++i)
            std::printf("%s%llu", i == 0 ? "" : ", ",
                        static_cast<unsigned long long>(resident_[i]));
        std::printf("]}\n");
    }

  private:
    template <typename Record>
    void send(Record& record, wire::ev_tag tag) {
        record.h = {.tag = static_cast<std::uint8_t>(tag),
                    .flags = 0,
                    .process = 0,
                    .tid = 1,
                    .time_ns = ++now_ns_};
        const Bytes bytes{reinterpret_cast<const std::uint8_t*>(&record), sizeof(record)};
        ledger_.apply(*decode::decode(bytes));
        ++events_;
    }

    std::uint64_t alloc(std::uint32_t site) {
        wire::ev_alloc record{};
        record.address = next_address_ += 16'384;
        record.size = 16 + site;
        record.stack = 1 + site;
        record.function = wire::FN_MALLOC;
        send(record, wire::EV_ALLOC);
        return record.address;
    }

    void free(std::uint64_t address) {
        wire::ev_free record{};
        record.address = address;
        send(record, wire::EV_FREE);
    }

    void mark(std::uint64_t id, wire::ev_tag tag) {
        wire::ev_request record{};
        record.id = id;
        record.args[0] = id % 50;
        send(record, tag);
    }

    void request(std::uint64_t id) {
        mark(id, wire::EV_REQUEST_BEGIN);
        for (std::size_t i = 0; i < kBlocksPerRequest; ++i) {
            const auto site = static_cast<std::uint32_t>(random_() % trace::kManySites);
            (i % 10 == 0 ? cached_ : kept_).push_back(alloc(site));
        }
        for (const std::uint64_t address : kept_) free(address);
        kept_.clear();
        while (cached_.size() > kCachedBlocks) {
            free(cached_.front());
            cached_.pop_front();
        }
        if (id % 10 == 0)
            for (std::uint32_t site = 0; site < kLeakingSites; ++site) alloc(site);
        mark(id, wire::EV_REQUEST_DONE);
    }

    void pass_on() {
        auto output = ledger_.take_output();
        for (const decode::StackKey key : output.stacks)
            writer_.add_stack(StackId(next_stack_++), 0,
                              trace::many_frames(static_cast<std::uint32_t>(key - 1)));
        for (const auto& request : output.requests) writer_.add_request(request);
        for (auto& epoch : output.epochs) writer_.add_epoch(std::move(epoch));
    }

    trace::Writer& writer_;
    std::uint64_t seconds_;
    ledger::Ledger ledger_;
    std::mt19937_64 random_{1};
    std::deque<std::uint64_t> cached_, kept_;
    std::vector<std::uint64_t> resident_;
    std::uint64_t now_ns_ = 0, next_address_ = 0x100000, events_ = 0;
    std::uint32_t next_stack_ = 1;
};

}  // namespace
}  // namespace asrtrace

int main(int argc, char** argv) {
    using namespace asrtrace;
    const std::uint64_t seconds = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 3600;
    if (argc < 2 || seconds < 4) return 2;
    auto writer = trace::Writer::create(argv[1]);
    if (!writer) {
        (void)std::fprintf(stderr, "%s\n", writer.error().message.c_str());
        return 1;
    }
    Hour hour(*writer, seconds);
    hour.run();
    hour.print();
    return 0;
}
