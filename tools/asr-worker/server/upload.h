// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Takes the audio file out of a multipart upload while it arrives. Everything a client can get
// wrong becomes an UploadError with the status to answer and a message.
#pragma once

#include <httplib.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>

#include "server/spool.h"

namespace asr {

inline constexpr const char* kUploadField = "audio_file";

class UploadError : public std::runtime_error {
  public:
    UploadError(int status, const std::string& message)
        : std::runtime_error(message), status_(status) {}
    int status() const { return status_; }

  private:
    int status_;
};

/// Content-Length of a request, 0 if it has none.
std::uint64_t declared_bytes(const httplib::Request& request);

/// Reads the request's body and appends the bytes of its one field `audio_file`, at most
/// `max_bytes`, to `file`. `first_piece` is called with the file's first bytes, before anything is
/// stored. `response` is looked at for the status that httplib sets when it gives up. Throws
/// UploadError, std::system_error.
void receive_upload(const httplib::Request& request, const httplib::Response& response,
                    const httplib::ContentReader& read, std::size_t max_bytes, Spool& file,
                    const std::function<void(std::span<const std::byte>)>& first_piece);

/// Reads the request's body and drops it, so that the client gets to read the answer. Throws
/// UploadError.
void drop_upload(const httplib::Request& request, const httplib::ContentReader& read);

}  // namespace asr
