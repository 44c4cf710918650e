// What this build calls itself (as in meson.build), and the Redis whose commands, replies and error texts it follows.
#ifndef SK_BASE_VERSION_H
#define SK_BASE_VERSION_H

#define SK_VERSION       "0.1.0"
#define SK_REDIS_VERSION "7.2.4"

#endif
