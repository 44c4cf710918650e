// rule: include
#include <time.h>
