// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/bpf_host/recording.h"

#include <cstdio>
#include <sstream>

namespace asrtrace::unwind {
namespace {

constexpr const char* kTitle = "asrtrace-stack 1";

void append(std::string& out, const char* separator, std::uint64_t value) {
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), "%s%llx", separator,
                  static_cast<unsigned long long>(value));
    out += text.data();
}

void append_memory(std::string& out, const std::map<std::uint64_t, std::uint8_t>& memory) {
    std::uint64_t next = 0;
    unsigned in_line = 0;
    for (const auto& [address, byte] : memory) {
        if (address != next || in_line == 32) {
            if (next != 0) out += '\n';
            append(out, "memory ", address);
            out += ' ';
            in_line = 0;
        }
        std::array<char, 4> text{};
        std::snprintf(text.data(), text.size(), "%02x", byte);
        out += text.data();
        next = address + 1;
        ++in_line;
    }
    out += '\n';
}

bool parse_memory(std::istringstream& fields, Recording& recording) {
    std::uint64_t address = 0;
    std::string bytes;
    if (!(fields >> std::hex >> address >> bytes) || bytes.size() % 2 != 0) return false;
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
        recording.memory[address++] =
            static_cast<std::uint8_t>(std::stoul(bytes.substr(i, 2), nullptr, 16));
    }
    return true;
}

bool parse_line(const std::string& line, Recording& recording) {
    std::istringstream fields(line);
    std::string word;
    fields >> word >> std::hex;
    if (word.empty() || word[0] == '#') return true;
    if (word == "registers") {
        fields >> recording.ip >> recording.sp >> recording.fp;
        for (std::uint64_t& reg : recording.regs) fields >> reg;
    } else if (word == "mapping") {
        RecordedMapping mapping;
        unsigned kind = 0;
        fields >> mapping.begin >> mapping.bytes >> kind;
        mapping.kind = static_cast<unwind_mapping_kind>(kind);
        recording.mappings.push_back(mapping);
    } else if (word == "row") {
        unsigned pc = 0;
        unsigned rule = 0;
        unsigned fp = 0;
        unsigned cfa = 0;
        fields >> pc >> rule >> fp >> cfa;
        if (recording.mappings.empty()) return false;
        recording.mappings.back().rows.push_back(
            {pc, static_cast<__u8>(rule), static_cast<__s8>(fp), static_cast<__s16>(cfa)});
    } else if (word == "memory") {
        return parse_memory(fields, recording);
    } else if (word == "result") {
        fields >> recording.flags >> recording.reason;
        if (fields.fail()) return false;
        for (std::uint64_t pc = 0; fields >> pc;) recording.pcs.push_back(pc);
        return true;
    } else {
        return false;
    }
    return !fields.fail();
}

}  // namespace

std::string format_recording(const Recording& recording) {
    std::string out = kTitle;
    append(out, "\nregisters ", recording.ip);
    append(out, " ", recording.sp);
    append(out, " ", recording.fp);
    for (const std::uint64_t reg : recording.regs) append(out, " ", reg);
    out += '\n';
    for (const RecordedMapping& mapping : recording.mappings) {
        append(out, "mapping ", mapping.begin);
        append(out, " ", mapping.bytes);
        append(out, " ", mapping.kind);
        out += '\n';
        for (const unwind_row& row : mapping.rows) {
            append(out, "row ", row.pc);
            append(out, " ", row.rule);
            append(out, " ", static_cast<std::uint8_t>(row.fp_offset));
            append(out, " ", static_cast<std::uint16_t>(row.cfa_offset));
            out += '\n';
        }
    }
    append_memory(out, recording.memory);
    append(out, "result ", recording.flags);
    append(out, " ", recording.reason);
    for (const std::uint64_t pc : recording.pcs) append(out, " ", pc);
    return out + '\n';
}

Result<Recording> parse_recording(const std::string& text) {
    std::istringstream lines(text);
    std::string line;
    if (!std::getline(lines, line) || line != kTitle) return Error{"not an asrtrace-stack 1"};
    Recording recording;
    for (int number = 2; std::getline(lines, line); ++number) {
        if (!parse_line(line, recording)) {
            return Error{"line " + std::to_string(number) + " is damaged"};
        }
    }
    return recording;
}

FakeTarget target_of(const Recording& recording) {
    FakeTarget target;
    for (const RecordedMapping& mapping : recording.mappings) {
        if (mapping.kind == UNWIND_MAPPING_TABLE) {
            target.add_module(mapping.begin, mapping.bytes, mapping.rows);
        } else {
            target.add_mapping(mapping.begin, mapping.bytes, mapping.kind);
        }
    }
    for (const auto& [address, byte] : recording.memory) target.put(address, {byte});
    return target;
}

host_walk registers_of(const Recording& recording) {
    host_walk walk{};
    walk.ip = recording.ip;
    walk.sp = recording.sp;
    walk.fp = recording.fp;
    for (std::size_t i = 0; i < recording.regs.size(); ++i) walk.regs[i] = recording.regs[i];
    return walk;
}

stack_record replay(const Recording& recording, bool without_loop) {
    host_walk walk = registers_of(recording);
    walk.without_loop = without_loop ? 1 : 0;
    return target_of(recording).run(walk);
}

}  // namespace asrtrace::unwind
