// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A directory that goes away, files in it, and traces made from the script.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/unit/trace_script.h"
#include "user/trace/reader.h"
#include "user/trace/writer.h"

namespace asrtrace::trace {

class Directory {
  public:
    Directory() {
        std::string name = (std::filesystem::temp_directory_path() / "asrtrace-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        path_ = name;
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory() { std::filesystem::remove_all(path_); }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

inline std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

inline void write_file(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
}

/// A finished trace of the script at `path`.
inline void make_trace(const std::string& path, const Script& script = {}) {
    auto writer = Writer::create(path);
    ASSERT_TRUE(writer) << writer.error().message;
    write_script(*writer, script);
    const auto status = writer->finish();
    ASSERT_TRUE(status) << status.error().message;
}

}  // namespace asrtrace::trace
