// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "server/service.h"

#include <unistd.h>

#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "audio/wav.h"
#include "server/debug_endpoints.h"
#include "server/upload.h"

namespace asr {
namespace {

constexpr const char* kJson = "application/json";

std::string error_body(const std::string& message) {
    // Messages may quote bytes of the client's: whatever is no UTF-8 is replaced, not thrown at.
    return nlohmann::json{{"error", message}}.dump(-1, ' ', false,
                                                   nlohmann::json::error_handler_t::replace);
}

// What httplib answers by itself (no such path, unreadable request) gets a JSON body, too.
void fill_error(const httplib::Request&, httplib::Response& response) {
    if (!response.body.empty()) return;
    const std::string message =
        response.status == 404 ? "no such endpoint (POST /transcribe, GET /healthz, GET /stats)"
                               : "HTTP status " + std::to_string(response.status);
    response.set_content(error_body(message), kJson);
}

class InFlight {
  public:
    explicit InFlight(std::atomic<int>& all) : all_(all), count_(++all) {}
    InFlight(const InFlight&) = delete;
    InFlight& operator=(const InFlight&) = delete;
    ~InFlight() { --all_; }
    int count() const { return count_; }  ///< with this one, when it began

  private:
    std::atomic<int>& all_;
    int count_;
};

}  // namespace

void Service::install(httplib::Server& server, bool debug_endpoints) {
    server.set_payload_max_length(limits_.max_upload_bytes);
    server.set_error_handler(httplib::Server::Handler(fill_error));
    server.set_post_routing_handler([this](const auto&, auto& response) {
        response.set_header("Worker-Pid", std::to_string(getpid()));
        // Who is told goes to the next worker with the next request.
        if (life_.ending()) response.set_header("Connection", "close");
    });
    server.Post("/transcribe", [this](const auto& request, auto& response, const auto& read) {
        transcribe(request, response, read);
    });
    server.Get("/healthz", [](const auto&, auto& response) {
        response.set_content(R"({"status":"ok"})", kJson);
    });
    server.Get("/stats",
               [this](const auto&, auto& response) { response.set_content(stats(), kJson); });
    if (debug_endpoints) install_debug_endpoints(server);
}

void Service::transcribe(const httplib::Request& request, httplib::Response& response,
                         const httplib::ContentReader& read) {
    const InFlight self(in_flight_);
    if (limits_.most_in_flight > 0 && self.count() > limits_.most_in_flight) {
        refuse(request, response, read);
        return;
    }
    RequestScope scope(next_id_++, declared_bytes(request));
    int status = 500;
    {
        const Answer result = answer(request, response, read, scope);
        status = result.status;
        response.status = status;
        if (result.close_connection) response.set_header("Connection", "close");
        response.set_content(result.body, kJson);
    }  // nothing of the request's own is left when it is said to be done
    life_.answered(++answered_);
    scope.done(status);
}

// Not a request that was served: no plant, no probe.
void Service::refuse(const httplib::Request& request, httplib::Response& response,
                     const httplib::ContentReader& read) {
    ++refused_;
    try {
        drop_upload(request, read);
    } catch (const UploadError&) {
        // What could not be read is not waited for.
        response.set_header("Connection", "close");
    }
    response.status = 503;
    response.set_content(error_body("busy: " + std::to_string(limits_.most_in_flight) +
                                    " requests are in flight (--limit-concurrency)"),
                         kJson);
}

Service::Answer Service::answer(const httplib::Request& request, const httplib::Response& response,
                                const httplib::ContentReader& read, RequestScope& scope) {
    try {
        Spool file(limits_.spool_bytes);
        std::optional<Answer> refusal;
        try {
            receive_upload(request, response, read, limits_.max_upload_bytes, file,
                           [&](std::span<const std::byte> head) {
                               scope.start(peek_wav_frames(head, declared_bytes(request)));
                           });
        } catch (const UploadError& error) {
            refusal = Answer{error.status(), error_body(error.what()), true};
        }
        scope.start(0);
        if (file.on_disk()) ++spooled_;
        plants_.on_request(file.size());
        return refusal ? *std::move(refusal) : recognise(file.bytes(), scope);
    } catch (const AudioTooLong& error) {
        return {413, error_body(error.what())};
    } catch (const AudioError& error) {
        return {400, error_body(error.what())};
    } catch (const std::exception& error) {
        return {500, error_body(error.what())};
    }
}

Service::Answer Service::recognise(std::span<const std::byte> file,
                                   const RequestScope& scope) const {
    const auto samples = decode_wav(file, limits_.sample_rate_hz, limits_.max_frames);
    const auto transcript = recognizer_.transcribe(
        samples, [&](std::size_t index) { probe_chunk_done(scope.id(), index); });
    const nlohmann::json body = {
        {"text", transcript.text}, {"frames", transcript.frames}, {"chunks", transcript.chunks}};
    return {200, body.dump()};
}

std::string Service::stats() const {
    auto plants = nlohmann::json::array();
    for (const auto& plant : plants_.truth()) {
        plants.push_back({{"kind", plant.kind},
                          {"function", plant.function},
                          {"bytes_per_request", plant.bytes_per_request},
                          {"total_bytes", plant.held.bytes},
                          {"blocks", plant.held.blocks},
                          {"chunk_bytes", plant.held.chunk_bytes}});
    }
    const nlohmann::json body = {{"pid", getpid()},
                                 {"requests", answered_.load()},
                                 {"in_flight", in_flight_.load()},
                                 {"refused", refused_.load()},
                                 {"spooled", spooled_.load()},
                                 {"plants", std::move(plants)}};
    return body.dump();
}

}  // namespace asr
