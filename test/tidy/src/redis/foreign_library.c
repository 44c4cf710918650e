// rule: include
#include <uv.h>
