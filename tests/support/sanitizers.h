#pragma once

namespace tutti::testing {

// ThreadSanitizer tells a race whatever the results are, and takes twenty times as long: there, tests that repeat one
// scene with other sizes take few of them.
#ifdef __SANITIZE_THREAD__
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif

}  // namespace tutti::testing
