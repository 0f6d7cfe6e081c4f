// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "net/convolution.h"

#include <optional>
#include <unordered_map>

namespace asr {
namespace {

using Tag = dnnl::memory::format_tag;
constexpr auto kF32 = dnnl::memory::data_type::f32;

// A tensor in memory of ours. dnnl::memory would allocate by itself, PyTorch never lets it.
struct Place {
    explicit Place(const dnnl::memory::desc& desc, const dnnl::engine& engine)
        : buffer(desc.get_size()), memory(desc, engine, buffer.data()) {}

    AlignedBuffer buffer;
    dnnl::memory memory;
};

dnnl::memory::desc plain(std::uint32_t a, std::uint32_t b, std::size_t width, Tag tag) {
    return {{a, b, 1, static_cast<dnnl::memory::dim>(width)}, kF32, tag};
}

dnnl::convolution_forward::primitive_desc describe(const Layer& layer, std::size_t width_in,
                                                   std::size_t width_out,
                                                   const dnnl::engine& engine) {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::memory::desc bias({layer.out}, kF32, Tag::any);
    const dnnl::convolution_forward::desc desc(
        // As PyTorch, also for inference. With forward_inference oneDNN 2.6 picks brgconv, which
        // makes a JIT kernel for many widths: 1 MB and more for every cached primitive, 10 ms to
        // create.
        dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct,
        plain(1, layer.in, width_in, Tag::any), plain(layer.out, layer.in, layer.kernel, Tag::any),
        bias, plain(1, layer.out, width_out, Tag::any), {1, layer.stride},
        {0, layer.dilation - 1},  // oneDNN counts from 0
        {0, layer.pad_before}, {0, layer.pad_after});
    return {desc, attributes, engine};
}

// A tensor in the layout `wanted`: a copy, or the tensor itself if it has that layout already.
struct Reordered {
    Reordered(const dnnl::memory& from, const dnnl::memory::desc& wanted,
              const dnnl::engine& engine, dnnl::stream& stream)
        : memory(from) {
        if (from.get_desc() == wanted) return;
        copy.emplace(wanted, engine);
        memory = copy->memory;
        dnnl::reorder(from, memory).execute(stream, const_cast<dnnl::memory&>(from), memory);
    }

    std::optional<Place> copy;
    dnnl::memory memory;
};

// oneDNN's interface takes void*, it does not write to inputs.
void* writable(const float* data) {
    return const_cast<float*>(data);
}

}  // namespace

Tensor convolve(const Layer& layer, const Tensor& input, const dnnl::engine& engine,
                dnnl::stream& stream) {
    Tensor output(layer.out, input.length / layer.stride);
    const auto primitive = describe(layer, input.length, output.length, engine);

    const dnnl::memory source(plain(1, layer.in, input.length, Tag::nchw), engine,
                              input.buffer.data());
    const dnnl::memory weights(plain(layer.out, layer.in, layer.kernel, Tag::oihw), engine,
                               writable(layer.weights.data()));
    const dnnl::memory bias(primitive.bias_desc(), engine, writable(layer.bias.data()));
    dnnl::memory target(plain(1, layer.out, output.length, Tag::nchw), engine,
                        output.buffer.data());

    const Reordered inner_source(source, primitive.src_desc(), engine, stream);
    const Reordered inner_weights(weights, primitive.weights_desc(), engine, stream);
    Place inner_target(primitive.dst_desc(), engine);
    const Place scratchpad(primitive.scratchpad_desc(), engine);
    dnnl::convolution_forward(primitive).execute(stream,
                                                 {{DNNL_ARG_SRC, inner_source.memory},
                                                  {DNNL_ARG_WEIGHTS, inner_weights.memory},
                                                  {DNNL_ARG_BIAS, bias},
                                                  {DNNL_ARG_DST, inner_target.memory},
                                                  {DNNL_ARG_SCRATCHPAD, scratchpad.memory}});
    dnnl::reorder(inner_target.memory, target).execute(stream, inner_target.memory, target);
    stream.wait();
    return output;
}

}  // namespace asr
