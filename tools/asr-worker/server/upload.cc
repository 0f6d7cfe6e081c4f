// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "server/upload.h"

#include <string_view>

namespace asr {
namespace {

constexpr std::string_view kBoundary = "boundary=";

// Without these checks httplib would wait for the peer to hang up (no length), or answer by itself
// in the midst of our answer (no boundary).
void check_headers(const httplib::Request& request) {
    const bool chunked = request.get_header_value("Transfer-Encoding") == "chunked";
    if (!request.has_header("Content-Length") && !chunked) {
        throw UploadError(400, "the request has no body (neither Content-Length nor chunks)");
    }
    if (!request.is_multipart_form_data()) return;  // the body has to be read before the answer
    const auto type = request.get_header_value("Content-Type");
    const auto at = type.find(kBoundary);
    if (at == std::string::npos || type.substr(at + kBoundary.size()).empty() ||
        type.substr(at + kBoundary.size()) == "\"\"") {
        throw UploadError(400, "the multipart/form-data header names no boundary");
    }
}

[[noreturn]] void give_up(const httplib::Response& response, std::size_t max_bytes) {
    if (response.status == 413) {
        throw UploadError(413, "the upload is larger than " + std::to_string(max_bytes) + " bytes");
    }
    if (response.status == 415) throw UploadError(415, "this Content-Encoding is not supported");
    throw UploadError(400, "the upload ended too early or is no well-formed multipart body");
}

}  // namespace

std::uint64_t declared_bytes(const httplib::Request& request) {
    return request.get_header_value<std::uint64_t>("Content-Length");
}

void receive_upload(const httplib::Request& request, const httplib::Response& response,
                    const httplib::ContentReader& read, std::size_t max_bytes, Spool& file,
                    const std::function<void(std::span<const std::byte>)>& first_piece) {
    if (!request.is_multipart_form_data()) {
        drop_upload(request, read);
        throw UploadError(400, "multipart/form-data with a field 'audio_file' is required");
    }
    check_headers(request);
    std::size_t fields = 0;
    bool in_field = false;
    bool too_large = false;
    const bool complete = read(
        [&](const httplib::MultipartFormData& part) {
            in_field = part.name == kUploadField;
            if (in_field) ++fields;
            return true;
        },
        [&](const char* data, std::size_t size) {
            if (!in_field || size == 0) return true;
            // httplib limits what comes over the wire; a compressed body can be larger.
            too_large = file.size() + size > max_bytes;
            if (too_large) return false;
            if (file.size() == 0) first_piece(std::as_bytes(std::span(data, size)));
            file.append(data, size);
            return true;
        });
    if (too_large) {
        throw UploadError(413, "the upload is larger than " + std::to_string(max_bytes) + " bytes");
    }
    if (!complete) give_up(response, max_bytes);
    if (fields == 0) throw UploadError(400, "there is no field 'audio_file' in the upload");
    if (fields > 1) throw UploadError(400, "there is more than one field 'audio_file'");
}

void drop_upload(const httplib::Request& request, const httplib::ContentReader& read) {
    check_headers(request);
    const auto drop = [](const char*, std::size_t) { return true; };
    if (request.is_multipart_form_data()) {
        read([](const httplib::MultipartFormData&) { return true; }, drop);
    } else {
        read(drop);
    }
}

}  // namespace asr
