#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace tutti {

// A service does all its input and output on the one thread that runs its io_context: nothing of a connection is
// locked, and nothing on that thread may block or compute for long.
namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using IoError = boost::system::error_code;

template <typename T>
using Awaitable = asio::awaitable<T>;

// co_await f(…, kAsTuple) gives (error, result…) instead of throwing.
inline constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

}  // namespace tutti
