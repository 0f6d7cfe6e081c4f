// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The host-compiled walker on made-up rows, registers and stacks: it has to end, within its bounds.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tests/bpf_host/fake_target.h"

namespace {

class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
    template <typename T>
    T take() {
        T value{};
        const std::size_t bytes = left_ < sizeof(T) ? left_ : sizeof(T);
        std::memcpy(&value, data_, bytes);
        data_ += bytes;
        left_ -= bytes;
        return value;
    }
    std::size_t left() const { return left_; }

  private:
    const std::uint8_t* data_;
    std::size_t left_;
};

using asrtrace::unwind::kStack;
using asrtrace::unwind::kText;
constexpr std::uint64_t kOther = 0x500000;

/// Half of all words should mean something.
std::uint64_t address(Input& input) {
    const auto byte = input.take<std::uint8_t>();
    switch (byte & 7) {
        case 0:
            return kText + input.take<std::uint16_t>() % 0x4000;
        case 1:
            return kStack + input.take<std::uint8_t>() * 8U;
        case 2:
            return kOther + input.take<std::uint16_t>() % 0x5000;
        case 3:
            return input.take<std::uint64_t>();
        default:
            return byte;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace asrtrace::unwind;
    Input input(data, size);
    FakeTarget target;
    host_walk walk{};
    walk.without_loop = input.take<std::uint8_t>() & 1;
    walk.input = input.take<std::uint8_t>() & UNWIND_AT_ENTRY;
    walk.saved_count = input.take<std::uint8_t>() % 6;
    for (auto& saved : walk.saved) saved = {address(input), address(input)};
    walk.ip = address(input);
    walk.sp = address(input);
    walk.fp = address(input);
    for (auto& reg : walk.regs) reg = address(input);
    std::vector<unwind_row> rows;
    std::uint32_t pc = 0;
    for (int count = input.take<std::uint8_t>(); count > 0; --count) {
        auto row = input.take<unwind_row>();
        row.pc = pc += row.pc % 256 + 1;
        rows.push_back(row);
    }
    target.add_module(kText, 0x4000, rows);
    for (std::uint64_t i = 0; i < 4; ++i) {
        const auto kind = static_cast<unwind_mapping_kind>(input.take<std::uint8_t>() % 4);
        if (kind != UNWIND_MAPPING_TABLE) target.add_mapping(kOther + i * 0x1000, 0x1000, kind);
    }
    std::vector<std::uint64_t> words;
    while (input.left() > 0 && words.size() < 1024) words.push_back(address(input));
    target.put_words(kStack, words);
    target.put(kText + 0x100, {0xe8, 0, 0, 0, 0, 0xff, 0xd0});
    const stack_record stack = target.run(walk);
    if (stack.depth > UNWIND_MAX_FRAMES || stack.reason >= UNWIND_REASONS) std::abort();
    if (((stack.flags & UNWIND_TRUNCATED) != 0) != (stack.reason != UNWIND_COMPLETE)) std::abort();
    return 0;
}
