// rule: include
#include "node/node.h"
