#include "nn/linear.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <utility>
#include <vector>

// From libgomp, oneDNN's OpenMP run time. omp.h belongs to a compiler, and clang's would mean another run time.
extern "C" int omp_get_max_threads(void);
extern "C" void omp_set_num_threads(int);

namespace tutti {
namespace {

using dnnl::memory;

// Rows run in blocks of these heights; what is left below the smallest runs through a zero-filled block of that height.
// On AVX-512 oneDNN's rows agree to the last bit at any height; its AVX2 code has several kernels by height and these
// three agree (linear_test checks both).
constexpr std::array<int64_t, 3> kHeights = {64, 16, 4};

// oneDNN asks OpenMP for its thread count, when a primitive is made and when it runs. Workers are our threads, so
// oneDNN gets one; the caller's setting is put back.
class SingleThreaded {
 public:
  SingleThreaded() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~SingleThreaded() { omp_set_num_threads(before_); }
  SingleThreaded(const SingleThreaded&) = delete;
  SingleThreaded& operator=(const SingleThreaded&) = delete;

 private:
  const int before_;
};

}  // namespace

struct Linear::Impl {
  int64_t in = 0;
  int64_t out = 0;
  LinearOptions options;
  dnnl::engine engine;
  memory weights;  // packed as the primitives want it
  memory bias;     // empty: none
  std::array<dnnl::matmul, kHeights.size()> products;
  size_t scratchpad_bytes = 0;  // the largest of the products'

  void RunBlock(size_t height, const float* x, float* y, dnnl::stream& stream, std::byte* scratchpad) const;
};

void Linear::Impl::RunBlock(size_t height, const float* x, float* y, dnnl::stream& stream,
                            std::byte* scratchpad) const {
  const int64_t rows = kHeights[height];
  const memory::desc x_desc({rows, in}, memory::data_type::f32, memory::format_tag::ab);
  const memory::desc y_desc({rows, out}, memory::data_type::f32, memory::format_tag::ab);
  const memory::desc pad_desc({static_cast<int64_t>(scratchpad_bytes)}, memory::data_type::u8, memory::format_tag::a);
  std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, memory(x_desc, engine, const_cast<float*>(x))},
      {DNNL_ARG_WEIGHTS, weights},
      {DNNL_ARG_DST, memory(y_desc, engine, y)},
  };
  if (bias) arguments.emplace(DNNL_ARG_BIAS, bias);
  if (scratchpad_bytes > 0) arguments.emplace(DNNL_ARG_SCRATCHPAD, memory(pad_desc, engine, scratchpad));
  products[height].execute(stream, arguments);
}

Linear::Linear() = default;
Linear::~Linear() = default;
Linear::Linear(Linear&&) noexcept = default;
Linear& Linear::operator=(Linear&&) noexcept = default;
Linear::Linear(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}

int64_t Linear::in() const { return impl_->in; }
int64_t Linear::out() const { return impl_->out; }

absl::StatusOr<Linear> Linear::Create(const float* weight, const float* bias, int64_t out, int64_t in,
                                      LinearOptions options) {
  if (out <= 0 || in <= 0) return InvalidArgument("linear layer: shape [{}, {}], expected positive sizes", out, in);
  if (options.relu && options.accumulate)
    return InvalidArgument("linear layer: relu and accumulate exclude each other");
  const SingleThreaded single_threaded;
  try {
    auto impl = std::make_unique<Impl>();
    impl->in = in;
    impl->out = out;
    impl->options = options;
    impl->engine = dnnl::engine(dnnl::engine::kind::cpu, 0);

    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);  // primitives are shared between threads
    dnnl::post_ops post;
    if (options.accumulate) post.append_sum(1.0F);
    if (options.relu) post.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
    attributes.set_post_ops(post);

    const auto f32 = memory::data_type::f32;
    memory::desc weights_desc({in, out}, f32, memory::format_tag::any);
    const memory::desc bias_desc({1, out}, f32, memory::format_tag::ab);
    for (size_t height = 0; height < kHeights.size(); ++height) {
      const memory::desc x_desc({kHeights[height], in}, f32, memory::format_tag::ab);
      const memory::desc y_desc({kHeights[height], out}, f32, memory::format_tag::ab);
      const auto desc = bias != nullptr ? dnnl::matmul::desc(x_desc, weights_desc, bias_desc, y_desc)
                                        : dnnl::matmul::desc(x_desc, weights_desc, y_desc);
      const dnnl::matmul::primitive_desc primitive(desc, attributes, impl->engine);
      weights_desc = primitive.weights_desc();  // the first height chooses the layout, the others take it
      impl->scratchpad_bytes = std::max(impl->scratchpad_bytes, primitive.scratchpad_desc().get_size());
      impl->products[height] = dnnl::matmul(primitive);
    }

    dnnl::stream stream(impl->engine);
    memory plain(memory::desc({in, out}, f32, memory::format_tag::ba), impl->engine, const_cast<float*>(weight));
    impl->weights = memory(weights_desc, impl->engine);
    dnnl::reorder(plain, impl->weights).execute(stream, plain, impl->weights);
    if (bias != nullptr) {
      impl->bias = memory(bias_desc, impl->engine);
      std::memcpy(impl->bias.get_data_handle(), bias, static_cast<size_t>(out) * sizeof(float));
    }
    stream.wait();
    return Linear(std::move(impl));
  } catch (const std::exception& error) {
    return absl::InternalError(fmt::format("linear layer [{}, {}]: oneDNN: {}", out, in, error.what()));
  }
}

void Linear::Run(const float* x, int64_t rows, float* y, Workspace& workspace) const {
  const SingleThreaded single_threaded;
  Workspace::Scope scope(workspace);
  std::byte* scratchpad = scope.Bytes(static_cast<int64_t>(impl_->scratchpad_bytes));
  dnnl::stream stream(impl_->engine);
  const int64_t in = impl_->in, out = impl_->out;
  for (size_t height = 0; height < kHeights.size(); ++height) {
    for (; rows >= kHeights[height]; rows -= kHeights[height]) {
      impl_->RunBlock(height, x, y, stream, scratchpad);
      x += kHeights[height] * in;
      y += kHeights[height] * out;
    }
  }
  if (rows > 0) {
    constexpr int64_t kLast = kHeights.back();
    float* x_block = scope.Floats(kLast * in);
    float* y_block = scope.Floats(kLast * out);
    std::fill(std::copy(x, x + rows * in, x_block), x_block + kLast * in, 0.0F);
    if (impl_->options.accumulate) std::fill(std::copy(y, y + rows * out, y_block), y_block + kLast * out, 0.0F);
    impl_->RunBlock(kHeights.size() - 1, x_block, y_block, stream, scratchpad);
    std::copy(y_block, y_block + rows * out, y);
  }
  stream.wait();
}

const char* LinearIsa() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
      return "SSE41";
    case dnnl::cpu_isa::avx:
      return "AVX";
    case dnnl::cpu_isa::avx2:
      return "AVX2";
    case dnnl::cpu_isa::avx2_vnni:
      return "AVX2_VNNI";
    case dnnl::cpu_isa::avx512_core:
      return "AVX512_CORE";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "AVX512_CORE_VNNI";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "AVX512_CORE_BF16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "AVX512_CORE_AMX";
    default:
      return "generic";
  }
}

double MeasureLinearRoof(int64_t rows, int64_t in, int64_t out, double seconds) {
  const std::vector<float> weight(static_cast<size_t>(in * out), 0.5F);
  const std::vector<float> x(static_cast<size_t>(rows * in), 0.25F);
  std::vector<float> y(static_cast<size_t>(rows * out));
  const SingleThreaded single_threaded;
  try {
    // One product over all rows, as oneDNN would run it by itself: not our row blocks.
    const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    const auto f32 = memory::data_type::f32;
    const memory::desc x_desc({rows, in}, f32, memory::format_tag::ab),
        y_desc({rows, out}, f32, memory::format_tag::ab);
    const dnnl::matmul::primitive_desc primitive(
        dnnl::matmul::desc(x_desc, memory::desc({in, out}, f32, memory::format_tag::any), y_desc), engine);
    memory plain(memory::desc({in, out}, f32, memory::format_tag::ba), engine, const_cast<float*>(weight.data()));
    memory packed(primitive.weights_desc(), engine);
    dnnl::stream stream(engine);
    dnnl::reorder(plain, packed).execute(stream, plain, packed);
    const dnnl::matmul product(primitive);
    const std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, memory(x_desc, engine, const_cast<float*>(x.data()))},
        {DNNL_ARG_WEIGHTS, packed},
        {DNNL_ARG_DST, memory(y_desc, engine, y.data())}};
    product.execute(stream, arguments);
    stream.wait();
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    double elapsed = 0;
    int64_t runs = 0;
    do {
      product.execute(stream, arguments);
      stream.wait();
      ++runs;
      elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    } while (elapsed < seconds);
    return 2.0 * static_cast<double>(rows * in * out * runs) / elapsed;
  } catch (const std::exception&) {
    return 0;
  }
}

}  // namespace tutti
