// Tells a service manager (systemd, or whoever set NOTIFY_SOCKET) how the daemon is, without its library.
#ifndef SK_DAEMON_NOTIFY_H
#define SK_DAEMON_NOTIFY_H

// `text` is one or more NAME=value lines, as sd_notify(3) takes them. Nobody listening is no error.
void sk_notify(const char *text);

#endif
