// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a load sends: uploads of files, one every so often, whatever becomes of the ones before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "user/base/result.h"

namespace asrtrace::load {

struct Upload {
    std::string field;  ///< of the multipart form
    std::string name;   ///< of the file, without its directory
    std::string content;
};

/// "FIELD=@FILE", or "FIELD=@DIRECTORY" for all of its files that end in .wav, by name. Error: it
/// is neither, or a file cannot be read.
Result<std::vector<Upload>> read_uploads(const std::string& argument);

struct Plan {
    std::string url;
    std::vector<Upload> uploads;  ///< not empty; one a request
    bool random = false;          ///< drawn anew for each request instead of one after the other
    std::uint64_t seed = 1;
    double rate = 1;  ///< requests a second
    std::uint64_t requests = 0;
    double timeout_seconds = 60;  ///< then a request has failed
};

/// Which upload each request sends.
class Order {
  public:
    explicit Order(const Plan& plan) : plan_(plan), state_(plan.seed) {}
    std::size_t next();

  private:
    const Plan& plan_;
    std::uint64_t state_;
    std::size_t index_ = 0;
};

}  // namespace asrtrace::load
