// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The worker's HTTP interface: POST /transcribe, GET /healthz, GET /stats and, if asked for,
// POST /debug/trim and GET /debug/mallinfo.
#pragma once

#include <httplib.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "server/life.h"
#include "server/plants.h"
#include "server/probes.h"
#include "server/recognizer.h"

namespace asr {

struct ServiceLimits {
    std::uint32_t sample_rate_hz;
    std::uint64_t max_frames;      ///< of audio; more is answered 413
    std::size_t max_upload_bytes;  ///< likewise
    std::size_t spool_bytes;       ///< larger uploads go to disk
    int most_in_flight;            ///< more requests at once are answered 503; 0: no limit
};

class Service {
  public:
    Service(const Recognizer& recognizer, Plants& plants, const ServiceLimits& limits, Life& life)
        : recognizer_(recognizer), plants_(plants), limits_(limits), life_(life) {}

    /// Adds the routes; the service must outlive the server.
    void install(httplib::Server& server, bool debug_endpoints);

  private:
    struct Answer {
        int status;
        std::string body;
        bool close_connection = false;  // bytes of the request may be left on it
    };

    void transcribe(const httplib::Request& request, httplib::Response& response,
                    const httplib::ContentReader& read);
    Answer answer(const httplib::Request& request, const httplib::Response& response,
                  const httplib::ContentReader& read, RequestScope& scope);
    Answer recognise(std::span<const std::byte> file, const RequestScope& scope) const;
    void refuse(const httplib::Request& request, httplib::Response& response,
                const httplib::ContentReader& read);
    std::string stats() const;

    const Recognizer& recognizer_;
    Plants& plants_;
    ServiceLimits limits_;
    Life& life_;
    std::atomic<int> in_flight_{0};
    std::atomic<std::uint64_t> refused_{0};
    std::atomic<std::uint64_t> spooled_{0};
    std::atomic<std::uint64_t> next_id_{1};
    std::atomic<std::uint64_t> answered_{0};
};

}  // namespace asr
