// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "net/network.h"

#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "net/convolution.h"

namespace asr {
namespace {

constexpr double kVarianceFloor = 1e-5;  // as in training (model/network.py, normalise)

// The thread count of OpenMP belongs to the calling thread, so every call sets it. Looked up by
// name because it must be the runtime that libdnnl brought along, whichever that is: linking a
// second one (clang's) beside it would set the wrong one.
void use_compute_threads(int count) {
    using SetThreads = void (*)(int);
    static const auto set_threads =
        reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
    if (set_threads != nullptr) set_threads(count);
}

Tensor normalised(std::span<const float> samples, std::size_t length) {
    double sum = 0.0;
    for (const float sample : samples) sum += sample;
    const auto count = static_cast<double>(samples.size());
    const double mean = sum / count;
    double squares = 0.0;
    for (const float sample : samples) squares += (sample - mean) * (sample - mean);
    const double deviation = std::sqrt(squares / std::max(1.0, count - 1.0));
    const double scale = 1.0 / (deviation + kVarianceFloor);

    Tensor out(1, length);
    auto rest = std::transform(samples.begin(), samples.end(), out.values().begin(),
                               [=](float x) { return static_cast<float>((x - mean) * scale); });
    std::fill(rest, out.values().end(), 0.0F);
    return out;
}

Tensor relu(const Tensor& in) {
    Tensor out(in.channels, in.length);
    std::transform(in.values().begin(), in.values().end(), out.values().begin(),
                   [](float x) { return std::max(x, 0.0F); });
    return out;
}

Tensor add(const Tensor& a, const Tensor& b) {
    Tensor out(a.channels, a.length);
    std::transform(a.values().begin(), a.values().end(), b.values().begin(), out.values().begin(),
                   [](float x, float y) { return x + y; });
    return out;
}

Tensor apply(const Layer& layer, const Tensor& x, const dnnl::engine& engine,
             dnnl::stream& stream) {
    Tensor y = convolve(layer, x, engine, stream);
    switch (layer.kind) {
        case LayerKind::kConvolution:
            return y;
        case LayerKind::kConvolutionRelu:
            return relu(y);
        case LayerKind::kResidualConvolutionRelu:
            return add(x, relu(y));
    }
    return y;
}

}  // namespace

Network::Network(Weights weights, int compute_threads)
    : weights_(std::move(weights)),
      compute_threads_(std::max(1, compute_threads)),
      engine_(dnnl::engine::kind::cpu, 0) {}

Tensor Network::logits(std::span<const float> samples, std::size_t padded_samples) const {
    use_compute_threads(compute_threads_);
    const std::size_t wanted = std::max(samples.size(), padded_samples);
    const std::size_t frame = weights_.frame_samples;
    Tensor x = normalised(samples, (wanted + frame - 1) / frame * frame);
    dnnl::stream stream(engine_);
    for (const auto& layer : weights_.layers) x = apply(layer, x, engine_, stream);
    return x;
}

}  // namespace asr
