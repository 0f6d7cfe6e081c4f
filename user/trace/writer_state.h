// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The inside of a Writer: the queue, the open database and what is known about its contents.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "user/trace/blocks.h"
#include "user/trace/database.h"
#include "user/trace/epoch_store.h"
#include "user/trace/raw_block.h"
#include "user/trace/request_store.h"
#include "user/trace/rows.h"
#include "user/trace/series_store.h"
#include "user/trace/writer.h"

namespace asrtrace::trace {

using FileIdentity = std::pair<dev_t, ino_t>;
FileIdentity file_identity(int fd);
FileIdentity file_identity(const std::string& path);  ///< of a link, not of where it leads

class Writer::State {
  public:
    State(Database database, Limits limits, std::string path);

    /// Writes header and schema, then switches to WAL. Throws SqlError, as all that is private.
    void set_up();
    Status keep_raw_events(std::uint64_t max_bytes, std::uint64_t start_ns);
    FrameId add_frame(const ledger::Frame& frame);
    void add_stack(const ledger::Stack& stack);
    Status commit(bool finished);
    Status finish();
    Result<ledger::Recording> read();

    struct Queue {
        std::vector<FrameRow> frames;
        std::vector<ledger::Stack> stacks;
        std::vector<ledger::Request> requests;
        std::vector<ledger::EpochRecord> epochs;
        std::vector<ledger::ProcSample> samples;
        std::vector<ledger::Surroundings> surroundings;  ///< of the samples
        std::vector<ledger::Reading> readings;
        std::optional<std::vector<ledger::Arena>> arenas;  ///< replace what was written
        std::vector<ledger::ReachReading> reach;
        std::vector<RawRow> raw;
        std::vector<RawStackRow> raw_stacks;
    };
    Queue queue;
    ledger::Recording head;  ///< single values only
    std::optional<RawPacker> raw;

  private:
    /// What the database holds; taken back when a commit fails.
    struct Stores {
        Blocks blocks;
        EpochStore epochs;
        RequestStore requests;
        SeriesStore<SampleRow> samples;
        SeriesStore<SurroundingsRow> surroundings;
        SeriesStore<ReadingRow> readings;
        SeriesStore<ReachRow> reach;
    };
    void write(bool finished);
    void write_queue(bool finished);
    void write_meta(bool finished);
    void write_stacks();
    void write_arenas();
    void write_raw();
    Status fall_back_to_memory(const std::string& reason);
    Status finish_file();
    Status restore_file();

    Database database_;
    std::optional<Database> full_file_;  ///< the file that could not be written any more
    std::string path_;                   ///< empty: in memory
    Stores stores_;
    bool identity_written_ = false;
    std::map<ledger::Frame, FrameId> frame_ids_;
    std::size_t name_bytes_ = 0;
    std::uint64_t unnamed_frames_ = 0;
    std::unordered_set<StackId> stack_ids_;
};

}  // namespace asrtrace::trace
