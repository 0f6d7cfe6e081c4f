// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/symbols_oracle.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "user/base/escape.h"
#include "user/symbols/demangle.h"

namespace asrtrace::symbols::testing {
namespace {

std::string base_place(std::string place) {
    place = place.substr(0, place.find(" (discriminator"));
    return place.substr(place.rfind('/') + 1);
}

std::string_view without_clone(std::string_view name) {
    return name.substr(0, name.find(" [clone"));
}

std::string output_of(const std::string& command) {
    std::string output;
    FILE* pipe = ::popen(command.c_str(), "r");  // NOLINT: a fixed command of the tests
    if (pipe == nullptr) return output;
    std::array<char, 65536> buffer{};
    std::size_t got = 0;
    while ((got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0) {
        output.append(buffer.data(), got);
    }
    return ::pclose(pipe) == 0 ? output : "";
}

/// Of an inlined function without a linkage name (a lambda) addr2line may print the symbol at the
/// address, which is the outer function's name.
bool is_outer_name(const SourceFrame& ours, const SourceFrame& outermost, std::string_view theirs) {
    return ours.inlined && without_parameters(ours.function) == ours.function &&
           same_function(outermost.function, theirs);
}

}  // namespace

std::vector<OracleStack> ask_addr2line(const std::string& path,
                                       const std::vector<std::uint64_t>& addresses) {
    std::string list = "/tmp/asrtrace-addresses-XXXXXX";
    FILE* file = ::fdopen(::mkstemp(list.data()), "w");
    if (file == nullptr) return {};
    for (const std::uint64_t address : addresses) {
        std::fprintf(file, "%#llx\n", static_cast<unsigned long long>(address));
    }
    std::fclose(file);
    std::istringstream lines(output_of("addr2line -a -i -f -C -e '" + path + "' < '" + list + "'"));
    ::unlink(list.c_str());
    std::vector<OracleStack> stacks;
    std::string function;
    while (std::getline(lines, function)) {
        if (function.starts_with("0x")) {
            stacks.emplace_back();
            continue;
        }
        std::string place;
        std::getline(lines, place);
        const std::string name = function.substr(0, function.find('@'));  // no symbol version
        stacks.back().push_back({name, base_place(place)});
    }
    return stacks;
}

bool same_function(std::string_view ours, std::string_view theirs) {
    ours = without_clone(ours);
    theirs = without_clone(theirs);
    if (ours == theirs || (ours.empty() && theirs == "??")) return true;
    if (ours == cut_text(theirs)) return true;
    if (theirs.starts_with(ours) && theirs.substr(ours.size()).starts_with('.')) return true;
    const std::string_view plain = without_parameters(ours);
    return plain == theirs || plain.ends_with("::" + std::string(theirs));
}

bool same_functions(const std::vector<SourceFrame>& ours, const OracleStack& theirs) {
    if (ours.size() != theirs.size()) return false;
    for (std::size_t i = 0; i < ours.size(); ++i) {
        if (!same_function(ours[i].function, theirs[i].function) &&
            !is_outer_name(ours[i], ours.back(), theirs[i].function)) {
            return false;
        }
    }
    return true;
}

}  // namespace asrtrace::symbols::testing
