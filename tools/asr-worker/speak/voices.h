// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The voices that speak the training and the test material. A voice is an espeak-ng language (the
// accent) with a variant (the speaker). Variants in `held_out_variants` never occur in training
// material, neither does the accent `kHeldOutAccent`; figures "on held-out voices" come from these.
#pragma once

#include <span>
#include <string_view>

namespace asr {

enum class VoiceSet { kTrain, kHeldOut, kAll };

/// Accents of the training material, in espeak-ng's names.
std::span<const std::string_view> train_accents();

/// Speakers of the training material.
std::span<const std::string_view> train_variants();

/// Speakers that training never hears.
std::span<const std::string_view> held_out_variants();

/// An accent that training never hears.
inline constexpr std::string_view kHeldOutAccent = "en-us-nyc";

}  // namespace asr
