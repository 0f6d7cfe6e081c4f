// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "net/convolution.h"

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
        dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
        plain(1, layer.in, width_in, Tag::any), plain(layer.out, layer.in, layer.kernel, Tag::any),
        bias, plain(1, layer.out, width_out, Tag::any), {1, layer.stride},
        {0, layer.dilation - 1},  // oneDNN counts from 0
        {0, layer.pad_before}, {0, layer.pad_after});
    return {desc, attributes, engine};
}

// A copy of `from` in the layout `wanted`.
Place reordered(dnnl::memory& from, const dnnl::memory::desc& wanted, const dnnl::engine& engine,
                dnnl::stream& stream) {
    Place out(wanted, engine);
    dnnl::reorder(from, out.memory).execute(stream, from, out.memory);
    return out;
}

// oneDNN's interface takes void*, it does not write to inputs.
void* writable(const float* data) {
    return const_cast<float*>(data);
}

}  // namespace

Tensor convolve(const Layer& layer, const Tensor& input, const dnnl::engine& engine,
                dnnl::stream& stream) {
    Tensor output(layer.out, input.length / layer.stride);
    const auto primitive = describe(layer, input.length, output.length, engine);

    dnnl::memory source(plain(1, layer.in, input.length, Tag::nchw), engine, input.buffer.data());
    dnnl::memory weights(plain(layer.out, layer.in, layer.kernel, Tag::oihw), engine,
                         writable(layer.weights.data()));
    const dnnl::memory bias(primitive.bias_desc(), engine, writable(layer.bias.data()));
    dnnl::memory target(plain(1, layer.out, output.length, Tag::nchw), engine,
                        output.buffer.data());

    const Place source_place = reordered(source, primitive.src_desc(), engine, stream);
    const Place weights_place = reordered(weights, primitive.weights_desc(), engine, stream);
    Place target_place(primitive.dst_desc(), engine);
    const Place scratchpad(primitive.scratchpad_desc(), engine);
    dnnl::convolution_forward(primitive).execute(stream,
                                                 {{DNNL_ARG_SRC, source_place.memory},
                                                  {DNNL_ARG_WEIGHTS, weights_place.memory},
                                                  {DNNL_ARG_BIAS, bias},
                                                  {DNNL_ARG_DST, target_place.memory},
                                                  {DNNL_ARG_SCRATCHPAD, scratchpad.memory}});
    dnnl::reorder(target_place.memory, target).execute(stream, target_place.memory, target);
    stream.wait();
    return output;
}

}  // namespace asr
