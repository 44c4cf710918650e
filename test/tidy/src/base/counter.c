// rule: state
static unsigned long calls;
