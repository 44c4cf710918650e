// Assertions stay on in release builds: a wrong state must not spread to disk or to a peer.
//
//   SK_ASSERT   our own mistake: print where, abort. Never used on bytes that came from outside.
//   SK_VERIFY_ASSERT   the same for checks that cost more than the work they check; only in verify builds.
#ifndef SK_BASE_ASSERT_H
#define SK_BASE_ASSERT_H

// Prints "file:line: function: assertion failed: text" to stderr and aborts.
_Noreturn void sk_assert_failed(const char *file, int line, const char *function, const char *text);

#define SK_ASSERT(x) ((x) ? (void)0 : sk_assert_failed(__FILE__, __LINE__, __func__, #x))
#define SK_UNREACHABLE() sk_assert_failed(__FILE__, __LINE__, __func__, "unreachable")

#ifdef SK_VERIFY
#define SK_VERIFY_ASSERT(x) SK_ASSERT(x)
#else
#define SK_VERIFY_ASSERT(x) ((void)0)
#endif

#endif
