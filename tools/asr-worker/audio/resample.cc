// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "audio/resample.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <numeric>

namespace asr {
namespace {

constexpr int kZeroCrossings = 24;   // a side
constexpr double kKaiserBeta = 9.0;  // about 90 dB
constexpr double kRolloff = 0.95;    // keeps the transition band below the new Nyquist frequency

double bessel_i0(double x) {
    double sum = 1.0;
    double term = 1.0;
    for (int k = 1; k < 40; ++k) {
        term *= (x / (2.0 * k)) * (x / (2.0 * k));
        sum += term;
    }
    return sum;
}

double windowed_sinc(double t, double cutoff, double half_width) {
    if (std::abs(t) >= half_width) return 0.0;
    const double u = t / half_width;
    const double window = bessel_i0(kKaiserBeta * std::sqrt(1.0 - u * u)) / bessel_i0(kKaiserBeta);
    const double x = std::numbers::pi * cutoff * t;
    return cutoff * (std::abs(x) < 1e-12 ? 1.0 : std::sin(x) / x) * window;
}

}  // namespace

std::vector<float> resample(std::span<const float> in, std::uint32_t from_hz, std::uint32_t to_hz) {
    const std::uint64_t divisor = std::gcd(from_hz, to_hz);
    const std::uint64_t up = to_hz / divisor;      // output steps
    const std::uint64_t down = from_hz / divisor;  // input steps per `up` outputs
    if (up == down) return {in.begin(), in.end()};

    const double cutoff =
        kRolloff * std::min(1.0, static_cast<double>(up) / static_cast<double>(down));
    const double half_width = kZeroCrossings / cutoff;
    const auto reach = static_cast<std::int64_t>(std::ceil(half_width));
    const auto taps = static_cast<std::size_t>(2 * reach + 1);

    std::vector<float> filters(up * taps);
    for (std::uint64_t phase = 0; phase < up; ++phase) {
        const double fraction = static_cast<double>(phase) / static_cast<double>(up);
        for (std::size_t tap = 0; tap < taps; ++tap) {
            const double t = static_cast<double>(tap) - static_cast<double>(reach) - fraction;
            filters[phase * taps + tap] = static_cast<float>(windowed_sinc(t, cutoff, half_width));
        }
    }

    std::vector<float> out((in.size() * up + down - 1) / down);
    for (std::size_t i = 0; i < out.size(); ++i) {
        const std::uint64_t position = i * down;
        const float* filter = &filters[(position % up) * taps];
        const auto first = static_cast<std::int64_t>(position / up) - reach;
        const auto begin = std::max<std::int64_t>(0, -first);
        const auto end = std::min<std::int64_t>(static_cast<std::int64_t>(taps),
                                                static_cast<std::int64_t>(in.size()) - first);
        float sum = 0.0F;
        for (std::int64_t tap = begin; tap < end; ++tap) {
            sum += filter[tap] * in[static_cast<std::size_t>(first + tap)];
        }
        out[i] = sum;
    }
    return out;
}

}  // namespace asr
