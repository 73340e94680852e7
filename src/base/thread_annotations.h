#pragma once

// Clang's thread-safety attributes; nothing elsewhere. `make lint` compiles the tree with -Wthread-safety -Werror.
// https://clang.llvm.org/docs/ThreadSafetyAnalysis.html
#if defined(__clang__)
#define TUTTI_ATTRIBUTE(x) __attribute__((x))
#else
#define TUTTI_ATTRIBUTE(x)
#endif

#define TUTTI_CAPABILITY(x) TUTTI_ATTRIBUTE(capability(x))
#define TUTTI_SCOPED_CAPABILITY TUTTI_ATTRIBUTE(scoped_lockable)
#define TUTTI_GUARDED_BY(x) TUTTI_ATTRIBUTE(guarded_by(x))
#define TUTTI_PT_GUARDED_BY(x) TUTTI_ATTRIBUTE(pt_guarded_by(x))
#define TUTTI_REQUIRES(...) TUTTI_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define TUTTI_ACQUIRE(...) TUTTI_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define TUTTI_RELEASE(...) TUTTI_ATTRIBUTE(release_capability(__VA_ARGS__))
#define TUTTI_EXCLUDES(...) TUTTI_ATTRIBUTE(locks_excluded(__VA_ARGS__))
