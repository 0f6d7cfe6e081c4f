# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the flame graph's formats for other viewers hold, read by others than us: pprof by protoc
from the published message definition, speedscope's JSON by its specification.

profile_formats_test.py MAKE_TRACE REPLAY_COMMAND
"""

import gzip
import json
import os
import re
import subprocess
import sys
import tempfile

# The fields of github.com/google/pprof, proto/profile.proto, that a reader needs.
PROTO = """
syntax = "proto3";
package perftools.profiles;
message Profile {
  repeated ValueType sample_type = 1; repeated Sample sample = 2; repeated Mapping mapping = 3;
  repeated Location location = 4; repeated Function function = 5; repeated string string_table = 6;
  int64 drop_frames = 7; int64 keep_frames = 8; int64 time_nanos = 9; int64 duration_nanos = 10;
  ValueType period_type = 11; int64 period = 12; repeated int64 comment = 13;
  int64 default_sample_type = 14;
}
message ValueType { int64 type = 1; int64 unit = 2; }
message Sample { repeated uint64 location_id = 1; repeated int64 value = 2; repeated Label label = 3; }
message Label { int64 key = 1; int64 str = 2; int64 num = 3; int64 num_unit = 4; }
message Mapping {
  uint64 id = 1; uint64 memory_start = 2; uint64 memory_limit = 3; uint64 file_offset = 4;
  int64 filename = 5; int64 build_id = 6; bool has_functions = 7;
}
message Location {
  uint64 id = 1; uint64 mapping_id = 2; uint64 address = 3; repeated Line line = 4; bool is_folded = 5;
}
message Line { uint64 function_id = 1; int64 line = 2; }
message Function { uint64 id = 1; int64 name = 2; int64 system_name = 3; int64 filename = 4; int64 start_line = 5; }
"""


def blocks(text, name):
    """Bodies of the top-level messages `name` of protoc's text format."""
    return re.findall(rf"^{name} {{\n(.*?)^}}", text, re.M | re.S)


def numbers(body, name):
    return [int(value) for value in re.findall(rf"^\s*{name}: (-?\d+)$", body, re.M)]


def read_pprof(data, directory):
    """{frames root first: bytes}, by protoc."""
    with open(os.path.join(directory, "profile.proto"), "w", encoding="utf-8") as file:
        file.write(PROTO)
    text = subprocess.run(
        ["protoc", f"--proto_path={directory}", "--decode=perftools.profiles.Profile",
         "profile.proto"], input=gzip.decompress(data), check=True, stdout=subprocess.PIPE,
        timeout=30).stdout.decode()
    assert not re.search(r"^\s*\d+:", text, re.M), "fields that the definition does not know"
    strings = re.findall(r'^string_table: "(.*)"$', text, re.M)
    assert strings[0] == ""
    functions = {numbers(body, "id")[0]: strings[(numbers(body, "name") + [0])[0]]
                 for body in blocks(text, "function")}
    locations = {numbers(body, "id")[0]: functions[numbers(body, "function_id")[0]]
                 for body in blocks(text, "location")}
    stacks = {}
    for body in blocks(text, "sample"):
        frames = tuple(locations[at] for at in reversed(numbers(body, "location_id")))
        (value,) = numbers(body, "value")
        stacks[frames] = stacks.get(frames, 0) + value
    (unit,) = [strings[numbers(body, "unit")[0]] for body in blocks(text, "sample_type")]
    assert unit == "bytes", unit
    return stacks


def read_speedscope(data):
    file = json.loads(data)
    assert file["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    (profile,) = file["profiles"]
    assert profile["type"] == "sampled" and profile["unit"] == "bytes"
    assert len(profile["samples"]) == len(profile["weights"])
    assert profile["startValue"] == 0 and profile["endValue"] == sum(profile["weights"])
    frames = file["shared"]["frames"]
    stacks = {}
    for sample, weight in zip(profile["samples"], profile["weights"]):
        names = tuple(frames[index]["name"] for index in sample)
        stacks[names] = stacks.get(names, 0) + weight
    return stacks


def main(make_trace, command):
    with tempfile.TemporaryDirectory(prefix="asrtrace-profile-") as directory:
        trace = os.path.join(directory, "trace")
        subprocess.run([make_trace, trace], check=True, timeout=60)

        def drawn(kind, form):
            return subprocess.run(
                [command, "flamegraph", trace, "--kind", kind, "--format", form], check=True,
                stdout=subprocess.PIPE, timeout=60).stdout

        for kind in ("growth", "faults", "leak", "retention"):
            folded = {}
            for line in drawn(kind, "folded").decode().splitlines():
                stack, _, weight = line.rpartition(" ")
                folded[tuple(stack.split(";"))] = int(weight)
            assert folded, kind
            assert read_pprof(drawn(kind, "pprof"), directory) == folded, kind
            assert read_speedscope(drawn(kind, "speedscope")) == folded, kind

        # Names that would like to be more stay strings of valid files.
        hostile = os.path.join(directory, "hostile")
        subprocess.run([make_trace, hostile, "hostile"], check=True, timeout=60)
        trace = hostile
        assert any("alert" in name for stack in read_speedscope(drawn("growth", "speedscope"))
                   for name in stack)
        assert any("alert" in name for stack in read_pprof(drawn("growth", "pprof"), directory)
                   for name in stack)


if __name__ == "__main__":
    main(*sys.argv[1:])
