// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "speak/voices.h"

#include <array>

namespace asr {
namespace {

constexpr auto kTrainAccents =
    std::to_array<std::string_view>({"en-us", "en-us", "en-gb", "en-gb", "en-gb-scotland",
                                     "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029"});

// Near twins of a held-out speaker are left out (steph, steph2 of steph3), and so are novelty
// voices (robots, whispers, announcers) are left out: people do not sound like them.
constexpr auto kTrainVariants = std::to_array<std::string_view>(
    {"adam",       "Alex",        "Alicia",       "Andy",       "antonio", "aunty",   "benjamin",
     "boris",      "caleb",       "Denis",        "Diogo",      "ed",      "Gene",    "Gene2",
     "Henrique",   "Hugo",        "iven",         "iven2",      "iven3",   "iven4",   "Jacky",
     "kaukovalta", "Lee",         "linda",        "marcelo",    "Marco",   "Mario",   "max",
     "michel",     "miguel",      "Mike",         "Mr serious", "Nguyen",  "pablo",   "paul",
     "pedro",      "RicishayMax", "RicishayMax2", "rob",        "Storm",   "travis",  "Tweaky",
     "anika",      "f2",          "f3",           "f5",         "f1",      "grandpa", "klatt",
     "klatt2",     "klatt3",      "klatt5",       "klatt6",     "m2",      "m3",      "m4",
     "m5",         "m6",          "m8",           "norbert",    "sandro",  "zac"});

constexpr auto kHeldOutVariants = std::to_array<std::string_view>(
    {"Andrea", "Annie", "belinda", "david", "edward", "f4", "john", "klatt4", "m1", "m7", "Michael",
     "quincy", "robert", "shelby", "steph3", "victor"});

}  // namespace

std::span<const std::string_view> train_accents() {
    return kTrainAccents;
}
std::span<const std::string_view> train_variants() {
    return kTrainVariants;
}
std::span<const std::string_view> held_out_variants() {
    return kHeldOutVariants;
}

}  // namespace asr
