#include "nn/matrix_product.h"

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
// three agree (linear_test checks both). Elsewhere it runs portable code in tiles of six rows, and adds up those of an
// unfinished tile in another order.
#if defined(__x86_64__)
constexpr std::array<int64_t, 3> kHeights = {64, 16, 4};
#else
constexpr std::array<int64_t, 3> kHeights = {48, 12, 6};
#endif

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

struct Types {
  memory::data_type x, weights, y;
};

Types TypesOf(ComputeType type) {
  using enum memory::data_type;
  switch (type) {
    case ComputeType::kInt8:
      return {u8, s8, s32};
    case ComputeType::kBf16:
      return {bf16, bf16, f32};
    default:
      return {f32, f32, f32};
  }
}

dnnl::primitive_attr Attributes(Combine combine) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);  // primitives are shared between threads
  dnnl::post_ops post;
  if (combine == Combine::kAccumulate) post.append_sum(1.0F);
  if (combine == Combine::kRelu) post.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
  attributes.set_post_ops(post);
  return attributes;
}

bool HasFastBf16Vectors() {
#if defined(__x86_64__)
  return __builtin_cpu_is("intel") == 0;
#else
  return false;
#endif
}

}  // namespace

struct MatrixProduct::Impl {
  int64_t in = 0;
  int64_t out = 0;
  Types types = {};
  int64_t x_row = 0, y_row = 0;  // bytes
  bool reads_y = false;
  dnnl::engine engine;
  memory weights;  // packed as the primitives want it
  memory bias;     // empty: none
  std::array<memory::desc, kHeights.size()> x_descs, y_descs;
  std::array<dnnl::matmul, kHeights.size()> products;
  int64_t scratchpad_bytes = 0;  // the largest of the products'

  void RunBlock(size_t height, const std::byte* x, std::byte* y, dnnl::stream& stream, std::byte* scratchpad) const;
};

void MatrixProduct::Impl::RunBlock(size_t height, const std::byte* x, std::byte* y, dnnl::stream& stream,
                                   std::byte* scratchpad) const {
  std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, memory(x_descs[height], engine, const_cast<std::byte*>(x))},
      {DNNL_ARG_WEIGHTS, weights},
      {DNNL_ARG_DST, memory(y_descs[height], engine, y)},
  };
  if (bias) arguments.emplace(DNNL_ARG_BIAS, bias);
  if (scratchpad_bytes > 0) {
    const memory::desc pad_desc({scratchpad_bytes}, memory::data_type::u8, memory::format_tag::a);
    arguments.emplace(DNNL_ARG_SCRATCHPAD, memory(pad_desc, engine, scratchpad));
  }
  products[height].execute(stream, arguments);
}

MatrixProduct::MatrixProduct() = default;
MatrixProduct::~MatrixProduct() = default;
MatrixProduct::MatrixProduct(MatrixProduct&&) noexcept = default;
MatrixProduct& MatrixProduct::operator=(MatrixProduct&&) noexcept = default;
MatrixProduct::MatrixProduct(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}

int64_t MatrixProduct::in() const { return impl_->in; }
int64_t MatrixProduct::out() const { return impl_->out; }

absl::StatusOr<MatrixProduct> MatrixProduct::Create(const WeightMatrix& weights, const float* bias, int64_t out,
                                                    int64_t in, Combine combine) {
  const SingleThreaded single_threaded;
  try {
    auto impl = std::make_unique<Impl>();
    impl->in = in;
    impl->out = out;
    impl->types = TypesOf(weights.type);
    const auto [x_type, weights_type, y_type] = impl->types;
    impl->x_row = in * static_cast<int64_t>(memory::data_type_size(x_type));
    impl->y_row = out * static_cast<int64_t>(memory::data_type_size(y_type));
    impl->reads_y = combine == Combine::kAccumulate;
    impl->engine = dnnl::engine(dnnl::engine::kind::cpu, 0);

    memory::desc weights_desc({in, out}, weights_type, memory::format_tag::any);
    const memory::desc bias_desc({1, out}, memory::data_type::f32, memory::format_tag::ab);
    const dnnl::primitive_attr attributes = Attributes(combine);
    for (size_t height = 0; height < kHeights.size(); ++height) {
      const memory::desc x_desc({kHeights[height], in}, x_type, memory::format_tag::ab);
      const memory::desc y_desc({kHeights[height], out}, y_type, memory::format_tag::ab);
      const auto desc = bias != nullptr ? dnnl::matmul::desc(x_desc, weights_desc, bias_desc, y_desc)
                                        : dnnl::matmul::desc(x_desc, weights_desc, y_desc);
      const dnnl::matmul::primitive_desc primitive(desc, attributes, impl->engine);
      weights_desc = primitive.weights_desc();  // the first height chooses the layout, the others take it
      impl->scratchpad_bytes =
          std::max(impl->scratchpad_bytes, static_cast<int64_t>(primitive.scratchpad_desc().get_size()));
      impl->x_descs[height] = x_desc;
      impl->y_descs[height] = y_desc;
      impl->products[height] = dnnl::matmul(primitive);
    }

    dnnl::stream stream(impl->engine);
    memory plain(memory::desc({in, out}, weights_type, memory::format_tag::ba), impl->engine,
                 const_cast<void*>(weights.data));
    impl->weights = memory(weights_desc, impl->engine);
    dnnl::reorder(plain, impl->weights).execute(stream, plain, impl->weights);
    if (bias != nullptr) {
      impl->bias = memory(bias_desc, impl->engine);
      std::memcpy(impl->bias.get_data_handle(), bias, static_cast<size_t>(out) * sizeof(float));
    }
    stream.wait();
    return MatrixProduct(std::move(impl));
  } catch (const std::exception& error) {
    return absl::InternalError(fmt::format("linear layer [{}, {}]: oneDNN: {}", out, in, error.what()));
  }
}

void MatrixProduct::Run(const void* x, int64_t rows, void* y, Workspace& workspace) const {
  const SingleThreaded single_threaded;
  Workspace::Scope scope(workspace);
  std::byte* scratchpad = scope.Bytes(impl_->scratchpad_bytes);
  dnnl::stream stream(impl_->engine);
  const auto* from = static_cast<const std::byte*>(x);
  auto* to = static_cast<std::byte*>(y);
  const int64_t x_row = impl_->x_row, y_row = impl_->y_row;
  for (size_t height = 0; height < kHeights.size(); ++height) {
    for (; rows >= kHeights[height]; rows -= kHeights[height]) {
      impl_->RunBlock(height, from, to, stream, scratchpad);
      from += kHeights[height] * x_row;
      to += kHeights[height] * y_row;
    }
  }
  if (rows > 0) {
    constexpr int64_t kLast = kHeights.back();
    std::byte* x_block = scope.Bytes(kLast * x_row);
    std::byte* y_block = scope.Bytes(kLast * y_row);
    std::fill(std::copy(from, from + rows * x_row, x_block), x_block + kLast * x_row, std::byte{0});
    if (impl_->reads_y) std::fill(std::copy(to, to + rows * y_row, y_block), y_block + kLast * y_row, std::byte{0});
    impl_->RunBlock(kHeights.size() - 1, x_block, y_block, stream, scratchpad);
    std::copy(y_block, y_block + rows * y_row, to);
  }
  stream.wait();
}

ProductIsa DetectProductIsa() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
      return {"SSE41", false, false, false, false, false, false};
    case dnnl::cpu_isa::avx:
      return {"AVX", false, false, false, false, false, false};
    case dnnl::cpu_isa::avx2:
      return {"AVX2", false, true, false, false, false, false};
    case dnnl::cpu_isa::avx2_vnni:
      return {"AVX2_VNNI", false, true, true, false, false, false};
    case dnnl::cpu_isa::avx512_core:
      return {"AVX512_CORE", true, true, false, false, false, false};
    case dnnl::cpu_isa::avx512_core_vnni:
      return {"AVX512_CORE_VNNI", true, true, true, false, false, false};
    case dnnl::cpu_isa::avx512_core_bf16:
      return {"AVX512_CORE_BF16", true, true, true, true, false, HasFastBf16Vectors()};
    case dnnl::cpu_isa::avx512_core_amx:
      return {"AVX512_CORE_AMX", true, true, true, true, true, true};
    default:
      return {"generic", false, false, false, false, false, false};
  }
}

double MeasureProductRoof(ComputeType type, int64_t rows, int64_t in, int64_t out, double seconds) {
  const SingleThreaded single_threaded;
  try {
    // One product over all rows, as oneDNN would run it by itself: not our row blocks.
    const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    const auto [x_type, weights_type, y_type] = TypesOf(type);
    const memory::desc x_desc({rows, in}, x_type, memory::format_tag::ab);
    const memory::desc y_desc({rows, out}, y_type, memory::format_tag::ab);
    const memory::desc any({in, out}, weights_type, memory::format_tag::any);
    const dnnl::matmul::primitive_desc primitive(dnnl::matmul::desc(x_desc, any, y_desc), engine);
    memory x(x_desc, engine), weights(primitive.weights_desc(), engine), y(y_desc, engine);
    for (const memory& each : {x, weights}) {
      std::memset(each.get_data_handle(), 1, each.get_desc().get_size());  // no denormal numbers in any type
    }
    const dnnl::matmul product(primitive);
    const std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, y}};
    dnnl::stream stream(engine);
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
