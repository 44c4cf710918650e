// One table of error codes. Functions return 0 (or a count) on success and one of these, negative, otherwise.
// A call that fails has changed nothing and will not call back.
#ifndef SK_BASE_ERROR_H
#define SK_BASE_ERROR_H

#define SK_ERRORS(X)                                                                                         \
    X(SK_ENOMEM, -1, "out of memory")                                                                        \
    X(SK_EINVAL, -2, "invalid argument")                                                                     \
    X(SK_EIO, -3, "input/output error")                                                                      \
    X(SK_ENOSPC, -4, "no space left on device")                                                              \
    X(SK_ENOENT, -5, "no such file")                                                                         \
    X(SK_EEXIST, -6, "already exists")                                                                       \
    X(SK_ECORRUPT, -7, "damaged data")                                                                       \
    X(SK_EFOREIGN, -8, "belongs to another cluster or node")                                                 \
    X(SK_EVERSION, -9, "format version not supported")                                                       \
    X(SK_ELOCKED, -10, "in use by another process")                                                          \
    X(SK_ETOOBIG, -11, "too big")                                                                            \
    X(SK_EBUSY, -12, "busy: a bounded queue is full")                                                        \
    X(SK_ENOTLEADER, -13, "not the leader: certainly not ordered")                                           \
    X(SK_EUNKNOWN, -14, "may or may not have been ordered")                                                  \
    X(SK_ECOMPACTED, -15, "no longer in the log")                                                            \
    X(SK_EAGAIN, -16, "not now, try again")                                                                  \
    X(SK_EPROTOCOL, -17, "the other side broke the protocol")                                                \
    X(SK_EFAILED, -18, "stopped after an earlier failure")                                                   \
    X(SK_ETIMEDOUT, -19, "timed out")                                                                        \
    X(SK_ECONNECT, -20, "cannot connect")

enum sk_error {
#define X(name, value, text) name = value,
    SK_ERRORS(X)
#undef X
};

// The name ("SK_EIO") and the text ("input/output error") of a code; "SK_OK"/"ok" for 0. Static strings.
const char *sk_error_name(int error);
const char *sk_error_text(int error);

#endif
