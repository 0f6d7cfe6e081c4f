// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What may become of the files of a trace: telling our own from foreign ones without trusting
// their contents, replacing an old one, creating a new one.
#pragma once

#include <cstddef>
#include <string>

#include "user/base/bytes.h"
#include "user/base/result.h"

namespace asrtrace::trace {

/// Is `header`, the first bytes of a file, that of a trace which this version reads? Error: names
/// the file and why not (empty, no database, another program's, newer).
Status check_header(Bytes header, const std::string& name);

/// Makes room for a new trace: removes an old one (any version) with its -wal, -shm and -journal.
/// Error: the file is something else, a link, or a trace that somebody has open.
Status remove_old_trace(const std::string& path);

/// The first bytes of an open file, fewer if it is shorter.
Result<std::string> read_header(int fd, const std::string& name);

}  // namespace asrtrace::trace
