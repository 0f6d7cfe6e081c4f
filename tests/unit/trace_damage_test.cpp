// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Damaged and foreign files: a clear refusal, or the intact beginning with the loss stated; never a
// crash, never another recording without a word.
#include <random>

#include "tests/unit/trace_fixture.h"
#include "user/classify/findings.h"
#include "user/report/json.h"
#include "user/report/text.h"
#include "user/trace/database.h"

namespace asrtrace::trace {
namespace {

class TraceDamage : public ::testing::Test {
  protected:
    void SetUp() override {
        make_trace(path(), script_);
        whole_ = read_file(path());
        json_ = report_of(*read(path()));
    }
    static std::string report_of(const ledger::Recording& recording) {
        const auto summary = classify::analyze(recording);
        EXPECT_FALSE(report::text(recording, summary).empty());
        return report::json(recording, summary);
    }
    std::string path() const { return directory_ / "a.asrtrace"; }

    /// Error, stated damage, or the same report.
    void expect_honest(const std::string& image, const std::string& how) {
        write_file(path(), image);
        const auto got = read(path());
        if (!got) {
            ++refused_;
            EXPECT_NE(got.error().message.find(path()), std::string::npos) << got.error().message;
            return;
        }
        const auto json = report_of(*got);
        if (got->damage.empty()) {
            ++same_;
            EXPECT_EQ(json, json_) << how;
            return;
        }
        ++partial_;
        for (std::size_t i = 0; i < got->epochs.size(); ++i) {
            EXPECT_EQ(got->epochs[i].requests, (i + 1) * script_.requests_per_epoch) << how;
            ASSERT_EQ(got->site_epochs[i].size(), 3U) << how;
        }
        for (std::size_t i = 0; i < got->requests.size(); ++i)
            ASSERT_EQ(got->requests[i].external_id, i) << how;
    }

    Directory directory_;
    Script script_{200, 20, 4096};
    std::string whole_, json_;
    int refused_ = 0, same_ = 0, partial_ = 0;
    std::mt19937 random_{20'240'607};
};

TEST_F(TraceDamage, CutAtAHundredPlaces) {
    for (int i = 0; i < 100; ++i) {
        const auto size = random_() % whole_.size();
        expect_honest(whole_.substr(0, size), "cut at " + std::to_string(size));
    }
    EXPECT_EQ(same_, 0);
    EXPECT_GE(partial_, 80) << "most cuts leave a beginning";
}

TEST_F(TraceDamage, AHundredFlippedBytes) {
    for (int i = 0; i < 100; ++i) {
        std::string image = whole_;
        const auto at = random_() % image.size();
        image[at] = static_cast<char>(image[at] ^ static_cast<char>(1 + random_() % 255));
        expect_honest(image, "flipped at " + std::to_string(at));
    }
    EXPECT_LE(refused_, 20);
    EXPECT_GE(partial_, 50);
}

TEST_F(TraceDamage, ZeroedPages) {
    for (std::size_t page = 0; page * 4096 < whole_.size(); ++page) {
        std::string image = whole_;
        image.replace(page * 4096, 4096, 4096, '\0');
        expect_honest(image, "page " + std::to_string(page));
    }
    EXPECT_GE(partial_, 10);
}

TEST_F(TraceDamage, CutsSayWhatIsMissing) {
    expect_honest(whole_.substr(0, whole_.size() * 9 / 10), "nine tenths");
    const auto got = read(path());
    ASSERT_TRUE(got);
    EXPECT_GT(got->epochs.size() + got->requests.size(), 100U);
    const auto text = report::text(*got, classify::analyze(*got));
    EXPECT_NE(text.find("DAMAGED TRACE"), std::string::npos);
    EXPECT_EQ(text.find("nothing lost"), std::string::npos);
}

TEST_F(TraceDamage, ATableThatOlderFormatsLackIsMissed) {
    write_file(path(), whole_);
    Database::open_for_writing(path()).execute("DROP TABLE surroundings");
    const auto got = read(path());
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_FALSE(got->samples.front().around.has_value());
    ASSERT_EQ(got->damage.size(), 1U);
    EXPECT_NE(got->damage[0].find("around the process"), std::string::npos) << got->damage[0];
}

TEST_F(TraceDamage, ARowOfWhatChildrenHoldIsMissed) {
    const auto make = [&](std::uint64_t blocks) {
        auto writer = Writer::create(directory_ / "followed");
        ASSERT_TRUE(writer) << writer.error().message;
        ledger::SiteEpoch site{.stack = StackId(1)};
        site.outlived_blocks = 5;
        site.followed_blocks = blocks;
        writer->add_epoch({{1, 1, 0}, {site}});
        ASSERT_TRUE(writer->finish());
    };
    const auto after = [&](const char* sql) {
        Database::open_for_writing(directory_ / "followed").execute(sql);
        return read(directory_ / "followed");
    };
    make(3);
    EXPECT_EQ(read(directory_ / "followed")->site_epochs.at(0).at(0).followed_blocks, 3U);
    for (const char* sql : {"DELETE FROM followed_sites", "DROP TABLE followed_sites",
                            "UPDATE followed_sites SET stack = 2"}) {
        make(3);
        const auto got = after(sql);
        ASSERT_TRUE(got) << sql;
        EXPECT_TRUE(got->epochs.empty()) << sql;
        EXPECT_FALSE(got->damage.empty()) << sql;
    }
    make(0);
    const auto older = after("DROP TABLE followed_sites; PRAGMA user_version=4");
    ASSERT_TRUE(older) << older.error().message;
    EXPECT_TRUE(older->damage.empty());
    EXPECT_EQ(older->site_epochs.at(0).at(0).outlived_blocks, 5U);
}

void expect_refused(const std::string& path, const std::string& reason) {
    const auto got = read(path);
    ASSERT_FALSE(got) << reason;
    EXPECT_NE(got.error().message.find(reason), std::string::npos) << got.error().message;
}

TEST_F(TraceDamage, ForeignFilesAreRefusedByName) {
    expect_refused(directory_ / "none", "No such file");
    write_file(directory_ / "empty", "");
    expect_refused(directory_ / "empty", "is empty");
    write_file(directory_ / "text", std::string(5000, 'x'));
    expect_refused(directory_ / "text", "no SQLite database");
    std::string image = whole_;
    image[68] = 'X';
    write_file(directory_ / "foreign", image);
    expect_refused(directory_ / "foreign", "another program");
    image = whole_;
    image[63] = 7;
    write_file(directory_ / "newer", image);
    expect_refused(directory_ / "newer", "has trace format 7, this asrtrace reads up to 5");
    expect_refused("/dev/null", "no regular file");
}

}  // namespace
}  // namespace asrtrace::trace
