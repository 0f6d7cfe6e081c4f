// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The worker's USDT probes (provider `asr`), each in a function that is never inlined: one place
// per probe, and a function's entry for tracers that know no USDT. Built without ASR_WORKER_USDT
// the functions stay and the probes are gone.
#pragma once

#include <cstdint>

namespace asr {

/// asr:request_start(id, bytes, frames): bytes of the upload as declared (0: not declared), frames
/// of audio as the WAV header promises (0: none or not readable).
void probe_request_start(std::uint64_t id, std::uint64_t bytes, std::uint64_t frames);

/// asr:chunk_done(id, index): a chunk of the request has been through the network.
void probe_chunk_done(std::uint64_t id, std::uint64_t index);

/// asr:request_done(id, status): the response is set, the request's own memory is freed.
void probe_request_done(std::uint64_t id, std::uint64_t status);

/// One request as the probes see it: exactly one start and one done with the same id, whichever
/// way the request ends.
class RequestScope {
  public:
    RequestScope(std::uint64_t id, std::uint64_t bytes) : id_(id), bytes_(bytes) {}
    RequestScope(const RequestScope&) = delete;
    RequestScope& operator=(const RequestScope&) = delete;
    ~RequestScope() { done(500); }

    std::uint64_t id() const { return id_; }

    /// The first call counts.
    void start(std::uint64_t frames) {
        if (!started_) probe_request_start(id_, bytes_, frames);
        started_ = true;
    }
    /// The first call counts; starts what was not started.
    void done(int status) {
        start(0);
        if (!finished_) probe_request_done(id_, static_cast<std::uint64_t>(status));
        finished_ = true;
    }

  private:
    std::uint64_t id_;
    std::uint64_t bytes_;
    bool started_ = false;
    bool finished_ = false;
};

}  // namespace asr
