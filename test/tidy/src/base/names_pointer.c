// rule: state
static const char *names[] = {"a", "b"};
